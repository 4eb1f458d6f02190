import { errors } from './auto/errors.js'
import { autoTrack } from './auto/elements.js'
import { downloads, outboundLinks } from './auto/links.js'
import { webVitals } from './auto/vitals.js'
import { AnalyticsClient } from './client.js'
import { pageViews } from './pages.js'
import type { Plugin } from './types.js'

/*
 * <script defer src="https://analytics.example.com/sdk/a.js" data-key="wk_..." data-outbound></script>
 *
 * Calls from before it is loaded: (window.analytics ||= []).push(['track', 'signup', {plan: 'pro'}])
 */

type Call = [method: string, ...given: unknown[]]
type Callable = Record<string, (...given: unknown[]) => unknown>

const script = document.currentScript as HTMLScriptElement
const { dataset } = script
/** `data-outbound` is true, `data-vitals="false"` is false, `data-batch-size="20"` is 20. */
const given: Record<string, unknown> = { pageViews: true, autoTrack: true }
for (const name in dataset) {
  const value = dataset[name]!
  given[name] = !value || value === 'true' || (value !== 'false' && (isNaN(+value) ? value : +value))
}
const parts: Record<string, Plugin> = {
  pageViews: pageViews(given),
  autoTrack: autoTrack(),
  outbound: outboundLinks(),
  downloads: downloads(),
  errors: errors(),
  vitals: webVitals(),
}
const client = new AnalyticsClient({
  host: new URL(script.src).origin,
  ...given,
  plugins: Object.keys(parts).flatMap((name) => (given[name] ? parts[name]! : [])),
})

const page = window as unknown as { analytics?: unknown }
const early = page.analytics as Partial<Pick<Call[], 'forEach'>> | undefined
const run = ([method, ...given]: Call) => (client as unknown as Callable)[method]?.(...given)
page.analytics = Object.assign(client, { push: run })
early?.forEach?.(run)
