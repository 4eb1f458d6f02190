/* Loading: asks again when what it depends on changes, keeps the last answer meanwhile, and says so. */
import { onScopeDispose, ref, shallowRef, watchEffect, type Ref, type ShallowRef } from 'vue'

import { forget, Problem } from '../api/client'

export interface Loaded<T> {
  data: Readonly<ShallowRef<T | undefined>>
  error: Readonly<ShallowRef<Problem | undefined>>
  loading: Readonly<Ref<boolean>>
  again: () => void
}

const tick = ref(0)
/** When figures were last brought, and whether the server answers. */
export const freshness = ref<{ at: number | null; offline: boolean }>({ at: null, offline: false })

/** Bring everything anew. */
export function refresh(): void {
  forget()
  tick.value++
}

/** `load` may answer null: there is nothing to ask for yet. What it reads before its first await is watched. */
export function useAnswer<T>(load: () => Promise<T> | null): Loaded<T> {
  const data = shallowRef<T>()
  const error = shallowRef<Problem>()
  const loading = ref(true)
  const own = ref(0)
  let latest = 0

  watchEffect(async () => {
    void tick.value
    void own.value
    const mine = ++latest
    const asked = load()
    if (!asked) return
    loading.value = true
    try {
      const answer = await asked
      if (mine !== latest) return
      data.value = answer
      error.value = undefined
      freshness.value = { at: Date.now(), offline: false }
    } catch (problem) {
      if (mine !== latest) return
      error.value = problem instanceof Problem ? problem : new Problem(-1, String(problem))
      if (error.value.offline) freshness.value = { ...freshness.value, offline: true }
    } finally {
      if (mine === latest) loading.value = false
    }
  })
  onScopeDispose(() => (latest = -1))
  return { data, error, loading, again: () => own.value++ }
}

const REFRESH_MS = 60_000

/** Figures are brought anew every minute while somebody looks, and when the network is back. */
export function refreshWhileVisible(): () => void {
  const look = () => document.visibilityState === 'visible' && refresh()
  const timer = setInterval(look, REFRESH_MS)
  const back = () => {
    if (freshness.value.at && Date.now() - freshness.value.at > REFRESH_MS) look()
  }
  document.addEventListener('visibilitychange', back)
  window.addEventListener('online', look)
  return () => {
    clearInterval(timer)
    document.removeEventListener('visibilitychange', back)
    window.removeEventListener('online', look)
  }
}
