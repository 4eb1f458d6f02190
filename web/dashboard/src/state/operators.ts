/* Filters in words. */
import type { Filter } from './filters'

export const NAMES: Record<string, string> = {
  'context.country': 'Country',
  'context.source.channel': 'Channel',
  'context.source.site': 'Site',
  'context.source.utm_campaign': 'Campaign',
  'event_data.path': 'Page',
  'event_data.title': 'Title',
  'context.device': 'Device',
  'context.browser': 'Browser',
  'context.os': 'System',
}
export const OPERATORS: Record<string, string> = {
  is: 'is', is_not: 'is not', contains: 'contains', not_contains: 'does not contain', starts_with: 'starts with', ends_with: 'ends with',
  matches: 'matches', not_matches: 'does not match', '>': '>', '>=': '≥', '<': '<', '<=': '≤', between: 'between', exists: 'is known', not_exists: 'is unknown',
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
