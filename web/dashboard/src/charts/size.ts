import { onBeforeUnmount, onMounted, ref, type Ref } from 'vue'

/** The width of an element, as it changes. */
export function useWidth(element: Ref<HTMLElement | undefined>, initial = 600): Ref<number> {
  const width = ref(initial)
  let observer: ResizeObserver | undefined
  onMounted(() => {
    if (!element.value) return
    width.value = element.value.clientWidth || initial
    observer = new ResizeObserver(([entry]) => (width.value = Math.round(entry!.contentRect.width)))
    observer.observe(element.value)
  })
  onBeforeUnmount(() => observer?.disconnect())
  return width
}
