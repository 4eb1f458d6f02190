/* Questions to /analysis about funnels, retention and journeys. */
import { ask, type Answer, type Given } from '../api/client'
import { t } from '../messages'
import type { Asked } from './trends'

export type Funnel = Answer<'/analysis/funnel', 'post'>
export type Retention = Answer<'/analysis/retention', 'post'>
export type Journeys = Answer<'/analysis/journeys', 'post'>
export type FunnelQuestion = Given<'/analysis/funnel', 'post'>['body']
export type RetentionQuestion = Given<'/analysis/retention', 'post'>['body']
/** A question, and the number of its answer whose people are wanted. */
export type Of = Given<'/analysis/people', 'post'>['body']['of']
export const PERIODS = { daily: t('Day'), weekly: t('Week'), monthly: t('Month') }
/** How a matrix goes on. */
export const PACES = { daily: t('Day by day'), weekly: t('Week by week'), monthly: t('Month by month') }
export type Period = keyof typeof PERIODS
export type Order = 'ordered' | 'strict' | 'any'
export const STEPS = ['page_view', 'signup_started', 'signup_completed', 'generation_completed', 'payment_completed']
export const WINDOW = 1_209_600

const always = (asked: Asked) => ({ start_date: asked.days.first, end_date: asked.days.last, filters: asked.filters as unknown as Record<string, never>[], include_bots: asked.bots, cohorts: [], not_cohorts: [] })

/** How far people get along some steps, each within so many seconds of the first. */
export const funnelQuestion = (asked: Asked, steps = STEPS, window_seconds = WINDOW, order: Order = 'ordered'): FunnelQuestion => ({
  ...always(asked), steps: steps.map((event) => ({ event, filters: [], any_of: [] })), window_seconds, order, attempt: 'best', unit: 'person', grace_seconds: 0, exclusions: [], breakdown_limit: 10,
})
export const funnel = (project: string, body: FunnelQuestion): Promise<Funnel> => ask('/analysis/funnel', { query: { project }, body })

/** By how many days a matrix goes in days, weeks or months. */
export const periodOf = (days: number): Period => (days > 120 ? 'monthly' : days > 13 ? 'weekly' : 'daily')

/** Who comes back with an event, after another; null is any activity. */
export const retentionQuestion = (asked: Asked, period: Period, birth: string | null = null, returning: string | null = null): RetentionQuestion => ({
  ...always(asked), birth: { event: birth, filters: [] }, returning: { event: returning, filters: [] }, mode: 'first_ever', criterion: 'on', clock: 'calendar', period, columns: 9,
})
export const retention = (project: string, body: RetentionQuestion): Promise<Retention> => ask('/analysis/retention', { query: { project }, body })

/** What comes after an event, or before it: pages, or events of any type. */
export const journeys = (asked: Asked, anchor = 'page_view', direction: 'after' | 'before' = 'after', node: 'event_type' | 'event_data.path' = 'event_data.path'): Promise<Journeys> =>
  ask('/analysis/journeys', {
    query: { project: asked.project },
    body: { ...always(asked), anchor: { event: anchor, filters: [] }, direction, steps: 4, node, nodes: node === 'event_type' ? [] : [{ event: 'page_view', filters: [] }], unit: 'session', window_seconds: 86_400, collapse: true, limit: 7, paths: 8 },
  })

export const visits = (answer?: Journeys): string => (answer ? t('{visits} by {people}', { visits: t('{n} visit|{n} visits', { n: answer.journeys }), people: t('{n} person|{n} people', { n: answer.persons }) }) : '')
