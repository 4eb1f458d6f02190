/* Questions to /analysis/trends: with filters, with breakdowns. */
import { ask, type Answer } from '../api/client'
import type { Filter } from './filters'
import type { MetricPoint } from './metrics'

export type Trend = Answer<'/analysis/trends', 'post'>
type Of = 'events' | 'persons' | 'sum'
export interface Counted {
  event?: string
  of: Of
  property?: string
}

export interface Asked {
  project: string
  days: { first: string; last: string }
  filters: Filter[]
  bots: boolean
}

/** One series over time, or by the values of a property. */
export function trend(asked: Asked, series: Counted, more: { breakdown?: string; limit?: number; compare?: boolean; period?: 'hourly' } = {}): Promise<Trend> {
  return ask('/analysis/trends', {
    query: { project: asked.project },
    body: {
      start_date: asked.days.first,
      end_date: asked.days.last,
      filters: asked.filters as unknown as Record<string, never>[],
      include_bots: asked.bots,
      series: [{ filters: [], any_of: [], ...series }],
      // Longer buckets would count whole weeks or months that the days only touch.
      period: more.period ?? 'daily',
      breakdown: more.breakdown,
      breakdown_limit: more.limit ?? 10,
      compare: more.compare ?? false,
      cohorts: [],
      not_cohorts: [],
    },
  })
}

/** How cards count when filters are set: rollups do not know them, so it is done from events. Others are not shown then. */
export const FILTERABLE: Record<string, Counted> = {
  dau: { of: 'persons' },
  page_views: { event: 'page_view', of: 'events' },
  new_registrations: { event: 'signup_completed', of: 'persons' },
  revenue: { event: 'payment_completed', of: 'sum', property: 'revenue' },
}

/** The points of a trend in the shape of a metric's. */
export function asMetric(answer: Trend, metric: string, unit: string): MetricPoint[] {
  return answer.series[0]!.points.map((point) => ({
    id: '', metric_date: point.date, metric_type: metric, period: 'daily', value: point.value,
    metadata: {
      calculated_at: answer.as_of, definition: `${answer.series[0]!.name}, where ${answer.filters}.`, definition_version: 1, unit, currency: null,
      numerator: point.value, denominator: null, window: { start: point.date, end: point.date }, zone: answer.zone, state: point.state,
      include_bots: answer.include_bots, source: answer.source,
    },
  })) as MetricPoint[]
}
