/* Filters in words. */
import { t } from '../messages'
import type { Filter } from './filters'

export const NAMES: Record<string, string> = {
  'context.country': t('Country'),
  'context.source.channel': t('Channel'),
  'context.source.site': t('Site'),
  'context.source.utm_campaign': t('Campaign'),
  'event_data.path': t('Page'),
  'event_data.title': t('Title'),
  'context.device': t('Device'),
  'context.browser': t('Browser'),
  'context.os': t('System'),
}
export const OPERATORS: Record<string, string> = {
  is: t('is'), is_not: t('is not'), contains: t('contains'), not_contains: t('does not contain'), starts_with: t('starts with'), ends_with: t('ends with'),
  matches: t('matches'), not_matches: t('does not match'), '>': '>', '>=': '≥', '<': '<', '<=': '≤', between: t('between'), exists: t('is known'), not_exists: t('is unknown'),
}
/** Operators with one value or several, and those with an end or two. */
export const LISTED = ['is', 'is_not', 'contains', 'not_contains', 'starts_with', 'ends_with', 'matches', 'not_matches']
export const RANGED = ['>', '>=', '<', '<=', 'between']

/** A filter as its chip says it. */
export function inWords(filter: Filter): { name: string; operator: string; value: string } {
  return {
    name: NAMES[filter.path] ?? filter.path.replace(/^(event_data|context|user_properties|person)\./, ''),
    operator: OPERATORS[filter.op] ?? filter.op,
    value: [filter.value ?? ''].flat().join(filter.op === 'between' ? ' – ' : ', '),
  }
}
