import { ref } from 'vue'

import { Problem } from '../api/client'

const LASTS_MS = 4500
export const toasts = ref<{ id: number; text: string; bad: boolean; lang?: string }[]>([])
let next = 0

/** Say something for some seconds; screen readers are told, too. */
export function say(text: string, bad = false, lang?: string): void {
  const id = next++
  toasts.value = [...toasts.value, { id, text, bad, lang }]
  setTimeout(() => (toasts.value = toasts.value.filter((toast) => toast.id !== id)), LASTS_MS)
}

/** Do something that may be refused: says how it went, and tells whether it went well. */
export async function attempt(work: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await work()
    if (done) say(done)
    return true
  } catch (problem) {
    if (problem instanceof Problem) say(problem.message, true, problem.lang)
    else say(String(problem), true)
    return false
  }
}
