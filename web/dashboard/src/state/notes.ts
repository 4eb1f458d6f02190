/* What happened in some days, for the charts of these days. */
import { computed } from 'vue'

import { get, type Answer } from '../api/client'
import { todayIn } from '../format'
import { useAnswer } from './answer'
import { isShared } from './session'
import { useView } from './view'

export type Note = Answer<'/annotations'>['annotations'][number]

/** One day more on either side is asked for: the instants are judged in the project's zone. */
const DAY_MS = 86_400_000

export function useNotes() {
  const view = useView()
  const loaded = useAnswer(() => {
    const { first, last } = view.range.value
    if (isShared.value) return null
    const [since, until] = [Date.parse(first) - DAY_MS, Date.parse(last) + 2 * DAY_MS].map((at) => new Date(at).toISOString())
    return get('/annotations', { query: { project: view.project.value, since, until } })
  })
  const notes = computed(() =>
    (loaded.data.value?.annotations ?? [])
      .map((note) => ({ ...note, day: todayIn(view.zone.value, new Date(note.at)) }))
      .filter((note) => note.day >= view.range.value.first && note.day <= view.range.value.last),
  )
  return { notes, again: loaded.again }
}
