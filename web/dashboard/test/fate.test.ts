import { describe, expect, it } from 'vitest'

import { fateOf, type Dead, type Destination } from '../src/state/fate'

const NOTHING = { delivered: 0, skipped: 0, parked: 0, unknown: 0, skipped_by_reason: {} }
const at = (counts: object) => ({ destination: 'amplitude', position: 10, ...NOTHING, by_event_type: { login: { ...NOTHING, ...counts } } }) as unknown as Destination
const event = (seq: number) => ({ seq, event_id: `e${seq}`, event_type: 'login' })
const fate = (seq: number, counts: object, dead: Dead[] = []) => fateOf(event(seq), at(counts), dead).text

describe('the fate of an event at a destination', () => {
  it('is open until the destination has read it', () => {
    expect(fate(11, { delivered: 5 })).toBe('waiting')
    expect(fate(10, { delivered: 5 })).toBe('delivered')
  })

  it('is that of its type where this has only one', () => {
    expect(fate(3, { skipped: 5, skipped_by_reason: { sandbox: 5 } })).toBe('skipped')
    expect(fate(3, { delivered: 1, parked: 2 })).toBe('delivered or parked')
    expect(fate(3, {})).toBe('read')
  })

  it('is death when its letter says so, with the words of the destination', () => {
    const letter = { destination: 'amplitude', event_id: 'e3', reason: 'HTTP 400' } as Dead
    expect(fateOf(event(3), at({ delivered: 9 }), [letter])).toMatchObject({ text: 'dead', why: 'HTTP 400' })
    expect(fate(4, { delivered: 9 }, [letter])).toBe('delivered')
    expect(fate(3, { delivered: 9 }, [{ ...letter, destination: 'mixpanel' }])).toBe('delivered')
  })
})
