/* Filters as the API takes them (docs/filters.md), one `filter=` each in the address. */
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'

export interface Filter {
  path: string
  op: string
  value?: string | number | (string | number)[]
}

/** Requests to the API, the dashboard's own among them, would leave nothing else to see in a list of events. */
export const NO_REQUESTS = 'event_type is_not api_request'

export function useFilters() {
  const route = useRoute()
  const router = useRouter()
  const filters = computed<Filter[]>(() =>
    [route.query.filter].flat().flatMap((text) => {
      try {
        const read: unknown = JSON.parse(text ?? '')
        return read && typeof read === 'object' && 'path' in read && 'op' in read ? [read as Filter] : []
      } catch {
        return []
      }
    }),
  )
  const write = (next: Filter[]) => void router.push({ query: { ...route.query, filter: next.length ? next.map((each) => JSON.stringify(each)) : undefined } })
  const same = (one: Filter, other: Filter) => JSON.stringify(one) === JSON.stringify(other)
  return {
    filters,
    has: (filter: Filter) => filters.value.some((each) => same(each, filter)),
    toggle: (filter: Filter) => write(filters.value.some((each) => same(each, filter)) ? filters.value.filter((each) => !same(each, filter)) : [...filters.value, filter]),
    remove: (place: number) => write(filters.value.filter((_, each) => each !== place)),
    /** Put one in the place of another, or behind them all. */
    replace: (place: number, filter: Filter) => write(filters.value.toSpliced(place, 1, filter)),
    clear: () => write([]),
  }
}
