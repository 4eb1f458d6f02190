import { describe, expect, it } from 'vitest'

import { badgeOf, type Fate } from '../src/state/fate'

const fate = (given: Partial<Fate>): Fate => ({ destination: 'amplitude', state: 'delivered', reason: null, certain: true, possible: [], attempts: null, retry_at: null, died_at: null, ...given })

describe('the fate of an event at a destination', () => {
  it('is a word with its reason', () => {
    expect(badgeOf(fate({}))).toMatchObject({ text: 'delivered', kind: 'good' })
    expect(badgeOf(fate({ state: 'skipped', reason: 'consent' }))).toMatchObject({ text: 'skipped', why: 'consent' })
    expect(badgeOf(fate({ state: 'dead', reason: 'HTTP 400', attempts: 1 })).why).toBe('HTTP 400 · 1 attempt')
  })

  it('says when it is told by the rules of now', () => {
    const badge = badgeOf(fate({ state: 'skipped', reason: 'filter', certain: false }))
    expect(badge.text).toBe('skipped?')
    expect(badge.why).toContain('rules of now')
  })

  it('leaves open what is open', () => {
    const badge = badgeOf(fate({ state: 'open', certain: false, possible: ['delivered', 'unknown'] }))
    expect(badge).toMatchObject({ text: 'not known', why: 'It may have been delivered or unknown; what is kept does not tell.' })
  })
})
