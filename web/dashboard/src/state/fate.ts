/* What became of events at their destinations, as the API says it. */
import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'

import { forget, get, type Answer } from '../api/client'
import { ago } from '../format'
import { language, t } from '../messages'

export type Fate = Answer<'/deliveries/events'>['events'][number]['destinations'][number]
export interface Badge {
  destination: string
  text: string
  kind: '' | 'good' | 'warn' | 'bad' | 'info'
  why: string
}

const STATES: Record<Fate['state'], [text: string, kind: Badge['kind'], why: string]> = {
  pending: [t('waiting'), 'info', t('The destination has not read it yet.')],
  parked: [t('parked'), 'warn', ''],
  delivered: [t('delivered'), 'good', t('The destination has said that it took it.')],
  skipped: [t('skipped'), '', ''],
  dead: [t('dead'), 'bad', ''],
  discarded: [t('discarded'), 'bad', ''],
  unknown: [t('unknown'), 'warn', t('It was sent and the answer was lost; again it could count twice.')],
  before_start: [t('before its start'), '', t('It arrived before the destination began to read.')],
  open: [t('not known'), 'warn', ''],
}
const BY_NOW = t('By the rules of now, which were changed since it arrived or stand in the settings.')

/** How a fate is shown: a word, its tone, and the reason in a sentence. */
export function badgeOf(fate: Fate): Badge {
  const [text, kind, why] = STATES[fate.state]
  const again = fate.retry_at ? (Date.parse(fate.retry_at) > Date.now() ? t('next attempt at {time}', { time: new Date(fate.retry_at).toLocaleTimeString(language) }) : t('to be tried again')) : ''
  const tried = fate.attempts ? t('{n} attempt|{n} attempts', { n: fate.attempts }) : ''
  const parts = [fate.reason ?? why, fate.state === 'open' && t('It may have been {states}; what is kept does not tell.', { states: fate.possible.map((each) => STATES[each as Fate['state']][0]).join(` ${t('or')} `) }), tried, again, fate.died_at && ago(fate.died_at), !fate.certain && fate.state !== 'open' && BY_NOW]
  return { destination: fate.destination, text: fate.certain || fate.state === 'open' ? text : `${text}?`, kind, why: parts.filter(Boolean).join(' · ') }
}

/** Whether it can still become something else; a dead one may be sent again. */
const moving = (fates?: Fate[]) => !fates || fates.some(({ state }) => state === 'pending' || state === 'parked' || state === 'dead')
const AT_ONCE = 100
const SOON_MS = 300

/** Fates of the events that are shown, by sequence number: asked for soon after events come into sight; `again` asks for those that can have changed. */
export function useFates(project: () => string, shown: () => { seq: number }[]): { fates: Readonly<ShallowRef<Map<number, Fate[]>>>; again: () => void } {
  const fates = shallowRef(new Map<number, Fate[]>())
  let timer = 0
  async function ask(): Promise<void> {
    const of = project()
    const seqs = shown().map(({ seq }) => seq).filter((seq) => moving(fates.value.get(seq)))
    for (let first = 0; first < seqs.length; first += AT_ONCE) {
      const found = await get('/deliveries/events', { query: { project: of, seq: seqs.slice(first, first + AT_ONCE) } })
      if (of !== project()) return
      fates.value = new Map([...fates.value, ...found.events.map((event) => [event.seq, event.destinations] as const)])
    }
  }
  // Without an answer the badges stay as they are; the page itself says that the server cannot be reached.
  const again = () => void ask().catch(() => {})
  watch(shown, (_, __, onCleanup) => {
    timer = window.setTimeout(again, SOON_MS)
    onCleanup(() => clearTimeout(timer))
  }, { immediate: true })
  onScopeDispose(() => clearTimeout(timer))
  // What is known from some seconds ago would be answered again.
  return { fates, again: () => (forget(), again()) }
}
