/* Figures over a range of days: from the points of the API, without making up any. */
import { get, type Answer } from '../api/client'
import { longDay, monthName, shortDay } from '../format'
import { t } from '../messages'
import type { Point } from '../charts/LineChart.vue'

export type MetricPoint = Answer<'/metrics/aggregated'>[number]

/** How the points of a range become one figure. */
export type Total = 'sum' | 'mean' | 'pooled' | 'last'

export interface Card {
  metric: string
  title: string
  total: Total
  /** Under the figure, when it is not simply the sum. */
  note?: string
  better?: 'more' | 'less'
}

export interface Figure {
  value: number | null
  numerator: number | null
  denominator: number | null
  /** Points that it is made of. */
  of: number
}

const NOTHING: Figure = { value: null, numerator: null, denominator: null, of: 0 }

/** One figure of many buckets. A mean leaves out the bucket that is not over; what is open cannot be compared with a whole one. */
export function total(points: MetricPoint[], how: Total): Figure {
  if (!points.length) return NOTHING
  if (how === 'sum') return { value: sum(points.map((point) => point.value ?? 0)), numerator: null, denominator: null, of: points.length }
  if (how === 'pooled') {
    const numerator = sum(points.map((point) => point.metadata.numerator ?? 0))
    const denominator = sum(points.map((point) => point.metadata.denominator ?? 0))
    return { value: denominator ? numerator / denominator : null, numerator, denominator, of: points.length }
  }
  if (how === 'last') {
    const last = points.findLast((point) => point.value !== null)
    return last ? { value: last.value, numerator: last.metadata.numerator, denominator: last.metadata.denominator, of: 1 } : NOTHING
  }
  const over = points.filter((point) => point.metadata.state !== 'open' && point.value !== null)
  const used = over.length ? over : points
  const whole = sum(used.map((point) => point.value ?? 0))
  return { value: whole / used.length, numerator: whole, denominator: used.length, of: used.length }
}

function sum(values: number[]): number {
  return values.reduce((all, value) => all + value, 0)
}

/** The points of a metric between two days; none that lie outside, such as the month that a range begins in the middle of. */
export async function points(project: string, metric: string, days: { first: string; last: string }, bots: boolean): Promise<MetricPoint[]> {
  const answer = await get('/metrics/aggregated', {
    query: { project, metric_type: metric, start_date: days.first, end_date: days.last, include_bots: bots || undefined },
  })
  return answer
}

/** Points as a chart draws them. */
export function chartPoints(found: MetricPoint[], cut = false): Point[] {
  return found.map((point) => {
    const monthly = point.period === 'monthly'
    return {
      label: monthly ? monthName(point.metric_date) : shortDay(point.metric_date),
      title: monthly ? monthName(point.metric_date) : point.period === 'weekly' ? t('Week of {day}', { day: shortDay(point.metric_date, true) }) : longDay(point.metric_date),
      value: point.value,
      open: !cut && point.metadata.state === 'open',
    }
  })
}
