import { describe, expect, it } from 'vitest'

import { addDays, change, daysBetween, duration, figure, todayIn } from '../src/format'
import { total, type MetricPoint } from '../src/state/metrics'

const point = (value: number | null, state = 'final', numerator: number | null = value, denominator: number | null = null) =>
  ({ value, metadata: { state, numerator, denominator } }) as unknown as MetricPoint

describe('days', () => {
  it('are counted by the calendar, also over changes of the clock', () => {
    expect(addDays('2026-03-28', 2)).toBe('2026-03-30')
    expect(addDays('2026-01-01', -1)).toBe('2025-12-31')
    expect(daysBetween('2026-10-24', '2026-10-26')).toBe(3)
  })

  it('begin at midnight of the zone', () => {
    const moment = new Date('2026-11-21T18:20:00Z')
    expect(todayIn('Asia/Kathmandu', moment)).toBe('2026-11-22')
    expect(todayIn('America/St_Johns', moment)).toBe('2026-11-21')
  })
})

describe('figures', () => {
  it('say what they cannot say', () => {
    expect(figure(null, 'fraction')).toBe('–')
    expect(change(5, 0)).toBeNull()
    expect(change(5, 4)).toBe(0.25)
  })

  it('are short where there is little room', () => {
    expect(figure(58_712, 'count', null, true)).toBe('58.7K')
    expect(figure(1234.5, 'currency', 'USD')).toBe('$1,235')
    expect(figure(0.1, 'currency', 'USD')).toBe('$0.10')
    expect(duration(214)).toBe('3m 34s')
    expect(duration(7_500)).toBe('2h 5m')
  })
})

describe('totals of several buckets', () => {
  it('leave what is not over out of a mean', () => {
    expect(total([point(10), point(20), point(3, 'open')], 'mean').value).toBe(15)
    expect(total([point(3, 'open')], 'mean').value).toBe(3)
  })

  it('of rates are all numerators over all denominators', () => {
    expect(total([point(1, 'final', 1, 1), point(0, 'final', 0, 9)], 'pooled').value).toBe(0.1)
    expect(total([point(null, 'final', 0, 0)], 'pooled').value).toBeNull()
  })

  it('of nothing are nothing', () => {
    expect(total([], 'sum').value).toBeNull()
  })
})
