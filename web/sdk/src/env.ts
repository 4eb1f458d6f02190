import type { Options } from './types.js'

/**
 * Options from `VITE_ANALYTICS_*`: `new AnalyticsClient(fromEnv(import.meta.env))`.
 *
 * `ENABLED`, `PII_TRACKING`, `SANDBOX_MODE` and `DEBUG` are `true` or `false`; `BATCH_SIZE` counts events; `FLUSH_INTERVAL` is in
 * milliseconds; `KEY`, `HOST` and `ENDPOINT` are texts. Throws for a number that is none.
 */
export function fromEnv(env: Record<string, string | boolean | undefined>): Options {
  const text = (name: string) => {
    const value = env[`VITE_ANALYTICS_${name}`]
    return value === undefined || value === '' ? undefined : String(value)
  }
  const flag = (name: string) => {
    const value = text(name)?.toLowerCase()
    return value === undefined ? undefined : value === 'true' || value === '1'
  }
  const number = (name: string) => {
    const value = text(name)
    if (value === undefined) return undefined
    if (Number(value) > 0) return Number(value)
    throw new RangeError(`VITE_ANALYTICS_${name}: "${value}" is no number above 0`)
  }
  const options = {
    key: text('KEY'),
    host: text('HOST'),
    endpoint: text('ENDPOINT'),
    enabled: flag('ENABLED'),
    piiTracking: flag('PII_TRACKING'),
    sandbox: flag('SANDBOX_MODE'),
    debug: flag('DEBUG'),
    batchSize: number('BATCH_SIZE'),
    flushInterval: number('FLUSH_INTERVAL'),
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}
