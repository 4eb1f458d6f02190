/* What became of one event at one destination, from what the API says of both. */
import type { Answer } from '../api/client'

export type Destination = Answer<'/deliveries'>['destinations'][number]
export type Dead = Answer<'/deliveries/dead-letters'>['items'][number]
export interface Fate {
  destination: string
  text: string
  kind: '' | 'good' | 'warn' | 'bad' | 'info'
  why: string
}

const ENDS = [
  ['delivered', 'good'],
  ['skipped', ''],
  ['parked', 'warn'],
  ['unknown', 'warn'],
] as const

/**
 * Behind the destination's position it waits; in its dead letters it is dead. What is read and not dead has one of the ends that
 * events of its type have had there: when that is a single one, it is this event's; else the API does not say which.
 */
export function fateOf(event: { seq: number; event_id: string; event_type: string }, at: Destination, dead: Dead[]): Fate {
  const { destination } = at
  const letter = dead.find((each) => each.destination === destination && !each.replay && each.event_id === event.event_id)
  if (letter) return { destination, text: 'dead', kind: 'bad', why: letter.reason }
  if (event.seq > at.position) return { destination, text: 'waiting', kind: 'info', why: 'The destination has not read it yet.' }
  const counts = at.by_event_type[event.event_type] ?? at
  const ends = ENDS.filter(([name]) => counts[name] > 0)
  const text = ends.map(([name]) => name).join(' or ') || 'read'
  const reasons = counts.skipped ? Object.keys(counts.skipped_by_reason).join(', ') : ''
  return { destination, text, kind: ends.length === 1 ? ends[0]![1] : '', why: ends.length > 1 ? 'It is not kept of each event which of these it was.' : reasons }
}
