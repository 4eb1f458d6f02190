/* Filters as the API takes them (docs/filters.md), one `filter=` each in the address. */
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'

export interface Filter {
  path: string
  op: string
  value?: string | number | (string | number)[]
}

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

export function useFilters() {
  const route = useRoute()
  const router = useRouter()
  const filters = computed<Filter[]>(() =>
    [route.query.filter].flat().flatMap((text) => {
      try {
        const read: unknown = JSON.parse(text ?? '')
        return read && typeof read === 'object' && 'path' in read && 'op' in read ? [read as Filter] : []
      } catch {
        return []
      }
    }),
  )
  const write = (next: Filter[]) => void router.push({ query: { ...route.query, filter: next.length ? next.map((each) => JSON.stringify(each)) : undefined } })
  const same = (one: Filter, other: Filter) => JSON.stringify(one) === JSON.stringify(other)
  return {
    filters,
    has: (filter: Filter) => filters.value.some((each) => same(each, filter)),
    toggle: (filter: Filter) => write(filters.value.some((each) => same(each, filter)) ? filters.value.filter((each) => !same(each, filter)) : [...filters.value, filter]),
    remove: (place: number) => write(filters.value.filter((_, each) => each !== place)),
    /** Put one in the place of another, or behind them all. */
    replace: (place: number, filter: Filter) => write(filters.value.toSpliced(place, 1, filter)),
    clear: () => write([]),
    text: (filter: Filter) => ({
      name: NAMES[filter.path] ?? filter.path.replace(/^(event_data|context|user_properties|person)\./, ''),
      operator: OPERATORS[filter.op] ?? filter.op,
      value: [filter.value ?? ''].flat().join(filter.op === 'between' ? ' – ' : ', '),
    }),
  }
}
