/* Figures and times for people, as they are written in the chosen language. */
import { language, t } from './messages'

export type Unit = 'count' | 'fraction' | 'ratio' | 'currency' | 'months' | 'seconds' | 'bytes' | 'milliseconds'

const compact = new Intl.NumberFormat(language, { notation: 'compact', maximumFractionDigits: 1 })
const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 })
const fine = new Intl.NumberFormat(language, { maximumFractionDigits: 2 })
const percent = new Intl.NumberFormat(language, { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 })

/** A whole number: 1,234, or 58.7K where there is little room. */
export function count(value: number, short = false): string {
  if (short && Math.abs(value) >= 10_000) return compact.format(value)
  return Number.isInteger(value) || Math.abs(value) >= 100 ? whole.format(value) : fine.format(value)
}

/** A share between 0 and 1. */
export function share(value: number): string {
  return percent.format(value)
}

export function money(value: number, currency = 'USD', short = false): string {
  const many = short && Math.abs(value) >= 10_000
  const digits = many || Math.abs(value) >= 1000 || Number.isInteger(value) ? 0 : 2
  return new Intl.NumberFormat(language, {
    style: 'currency',
    currency,
    notation: many ? 'compact' : 'standard',
    minimumFractionDigits: digits,
    maximumFractionDigits: many ? 1 : digits,
  }).format(value)
}

/** 45s, 3m 34s, 2h 5m, 3d 4h. */
export function duration(seconds: number): string {
  if (seconds < 1 && seconds > 0) return `${whole.format(seconds * 1000)} ms`
  if (seconds < 60) return t('{n}s', { n: Math.round(seconds) })
  const parts: [number, string][] = [[86_400, t('{n}d')], [3_600, t('{n}h')], [60, t('{n}m')], [1, t('{n}s')]]
  const first = parts.findIndex(([size]) => seconds >= size)
  const [size, name] = parts[first]!
  const next = parts[first + 1]!
  const rest = Math.floor((seconds % size) / next[0])
  const said = (text: string, many: number) => text.replace('{n}', whole.format(many))
  return said(name, Math.floor(seconds / size)) + (rest ? ` ${said(next[1], rest)}` : '')
}

/** How long something took: 201 ms, 2.05 s, 3m 34s. */
export function latency(milliseconds: number): string {
  if (milliseconds >= 60_000) return duration(milliseconds / 1000)
  return milliseconds < 1000 ? `${whole.format(milliseconds)} ms` : `${fine.format(milliseconds / 1000)} s`
}

export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  const power = value > 0 ? Math.min(units.length - 1, Math.floor(Math.log(value) / Math.log(1000))) : 0
  return `${fine.format(value / 1000 ** power)} ${units[power]}`
}

/** A figure with its unit; an en dash for what cannot be computed. */
export function figure(value: number | null | undefined, unit: string = 'count', currency?: string | null, short = false): string {
  if (value === null || value === undefined) return '–'
  if (unit === 'fraction') return share(value)
  if (unit === 'currency') return money(value, currency ?? undefined, short)
  if (unit === 'seconds') return duration(value)
  if (unit === 'milliseconds') return latency(value)
  if (unit === 'bytes') return bytes(value)
  if (unit === 'months') return t('{figure} mo', { figure: fine.format(value) })
  return count(value, short)
}

/** How much more or less than before: +15.2%. Null when there is nothing to compare with. */
export function change(now: number | null | undefined, before: number | null | undefined): number | null {
  if (now === null || now === undefined || !before) return null
  return (now - before) / Math.abs(before)
}

export function signed(value: number): string {
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${percent.format(Math.abs(value))}`
}

/** A local day (2026-11-21) as a Date whose UTC fields are that day. */
export function dayOf(text: string): Date {
  return new Date(`${text}T00:00:00Z`)
}

export function isoDay(date: Date): string {
  return date.toISOString().slice(0, 10)
}

export function addDays(text: string, days: number): string {
  return isoDay(new Date(dayOf(text).getTime() + days * 86_400_000))
}

/** How many days from the first to the last, both counted. */
export function daysBetween(first: string, last: string): number {
  return Math.round((dayOf(last).getTime() - dayOf(first).getTime()) / 86_400_000) + 1
}

/** Today's date in a time zone. */
export function todayIn(zone: string, now = new Date()): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(now)
}

export function shortDay(text: string, withYear = false): string {
  return new Intl.DateTimeFormat(language, { timeZone: 'UTC', month: 'short', day: 'numeric', ...(withYear && { year: 'numeric' }) }).format(dayOf(text))
}

export function longDay(text: string): string {
  return new Intl.DateTimeFormat(language, { timeZone: 'UTC', weekday: 'short', month: 'short', day: 'numeric', year: 'numeric' }).format(dayOf(text))
}

export function monthName(text: string): string {
  return new Intl.DateTimeFormat(language, { timeZone: 'UTC', month: 'short', year: 'numeric' }).format(dayOf(text))
}

/** A range of local days: Oct 22 – Nov 20; with years where these differ from now. */
export function range(first: string, last: string, thisYear = new Date().getUTCFullYear()): string {
  const withYear = !first.startsWith(String(thisYear))
  return first === last ? shortDay(first, withYear) : `${shortDay(first, withYear)} – ${shortDay(last, withYear)}`
}

/** An instant in a zone: Nov 21, 14:05:09. */
export function moment(instant: string | Date, zone: string, seconds = false): string {
  return new Intl.DateTimeFormat(language, {
    timeZone: zone, month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
    ...(seconds && { second: '2-digit' }),
  }).format(new Date(instant))
}

/** 12 s ago, 3 min ago, 2 h ago, 5 d ago. */
export function ago(instant: string | number | Date, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - new Date(instant).getTime()) / 1000))
  if (seconds < 60) return t('{n} s ago', { n: seconds })
  if (seconds < 3600) return t('{n} min ago', { n: Math.floor(seconds / 60) })
  if (seconds < 86_400) return t('{n} h ago', { n: Math.floor(seconds / 3600) })
  return t('{n} d ago', { n: Math.floor(seconds / 86_400) })
}

/** signup_completed as people write it: Signup completed, in the chosen language where the name is one of the product's. */
export function words(name: string): string {
  const text = name.replace(/[_.-]+/g, ' ').trim()
  const short = text.replace(/^(ai|api|pii|url|dau|wau|mau|mrr|arr|arpu|ltv|cac|nrr)\b/, (word) => word.toUpperCase())
  return t(short.charAt(0).toUpperCase() + short.slice(1))
}
