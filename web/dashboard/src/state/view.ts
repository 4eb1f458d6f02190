/* What is looked at: it stands in the address, so that a copied link shows the same and "back" works. */
import { computed, ref } from 'vue'
import { useRoute, useRouter, type LocationQueryRaw } from 'vue-router'

import { get } from '../api/client'
import { addDays, daysBetween, range as rangeText, todayIn } from '../format'
import { t } from '../messages'

export interface Preset {
  name: string
  label: string
  days: number
  key: string
}

export const PRESETS: Preset[] = [
  { name: '24h', label: t('Today'), days: 1, key: 'D' },
  { name: '7d', label: t('Last 7 days'), days: 7, key: 'W' },
  { name: '30d', label: t('Last 30 days'), days: 30, key: 'T' },
  { name: '90d', label: t('Last 90 days'), days: 90, key: 'N' },
  { name: '12mo', label: t('Last 12 months'), days: 365, key: 'Y' },
]
export const DEFAULT_PRESET = PRESETS[2]!
export const COMPARISONS = { previous: t('Previous period'), weekday: t('Previous, same weekdays'), year: t('Year before'), off: t('No comparison') }
export type Comparison = keyof typeof COMPARISONS

const zones = ref<Record<string, string>>({})
const DATE = /^\d{4}-\d{2}-\d{2}$/

export function useView() {
  const route = useRoute()
  const router = useRouter()

  const text = (name: string) => (typeof route.query[name] === 'string' ? (route.query[name] as string) : undefined)
  const project = computed(() => String(route.params.project ?? ''))
  const zone = computed(() => zones.value[project.value] ?? 'UTC')
  const ready = computed(() => project.value in zones.value)
  const today = computed(() => todayIn(zone.value))

  const preset = computed(() => PRESETS.find((each) => each.name === text('range')) ?? (custom.value ? undefined : DEFAULT_PRESET))
  const custom = computed(() => {
    const [first, last] = [text('from') ?? '', text('to') ?? '']
    return DATE.test(first) && DATE.test(last) && first <= last ? { first, last } : undefined
  })
  const range = computed(() => custom.value ?? { first: addDays(today.value, 1 - preset.value!.days), last: today.value })
  const days = computed(() => daysBetween(range.value.first, range.value.last))
  const comparison = computed<Comparison>(() => {
    const asked = text('compare')
    return asked && asked in COMPARISONS ? (asked as Comparison) : 'previous'
  })
  const before = computed(() => {
    if (comparison.value === 'off') return null
    const step = comparison.value === 'year' ? 364 : comparison.value === 'weekday' ? Math.ceil(days.value / 7) * 7 : days.value
    return { first: addDays(range.value.first, -step), last: addDays(range.value.last, -step) }
  })
  const bots = computed(() => text('bots') === '1')

  function set(patch: Record<string, string | undefined>, replace = false): void {
    const query: LocationQueryRaw = { ...route.query, ...patch }
    for (const name of Object.keys(query)) if (query[name] === undefined) delete query[name]
    void router[replace ? 'replace' : 'push']({ query, hash: route.hash })
  }

  function setRange(first: string, last: string): void {
    const late = last > today.value ? today.value : last
    set({ range: undefined, from: first, to: late })
  }

  /** Where a page is, with the same range, comparison and filters. */
  function to(name: string, params: Record<string, string> = {}) {
    const { range, from, to, compare, bots, filter } = route.query
    return { name, params: { project: project.value, ...params }, query: { range, from, to, compare, bots, filter } }
  }

  return {
    project, zone, ready, today, preset, custom, range, days, comparison, before, bots, set, setRange, to, text,
    label: computed(() => (custom.value ? rangeText(range.value.first, range.value.last) : preset.value!.label)),
    setPreset: (found: Preset) => set({ range: found === DEFAULT_PRESET ? undefined : found.name, from: undefined, to: undefined }),
    /** One range later or earlier; never past today. */
    shift: (by: 1 | -1) => {
      const last = addDays(range.value.last, by * days.value)
      if (last > today.value && by > 0) return
      setRange(addDays(last, 1 - days.value), last)
    },
  }
}

/** Days are those of the project's time zone, which the figures tell. */
export async function learnZone(project: string): Promise<void> {
  if (project in zones.value) return
  const figures = await get('/metrics/dashboard', { query: { project } })
  zones.value = { ...zones.value, [project]: String(figures.details.zone) }
}
