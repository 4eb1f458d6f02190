/* A page that forwards to both vendors, for tests in a real browser. */
import { amplitude } from '../../src/forward/amplitude.js'
import { mixpanel } from '../../src/forward/mixpanel.js'
import { AnalyticsClient } from '../../src/index.js'

interface Settings {
  host: string
  key: string
  amplitude: string
  mixpanel: string
}

const settings = JSON.parse(document.querySelector('#settings')!.textContent) as Settings
const analytics = new AnalyticsClient({
  host: settings.host,
  key: settings.key,
  flushInterval: 200,
  consent: 'pending',
  plugins: [
    amplitude({ apiKey: 'page-key', options: { serverUrl: `${settings.amplitude}/2/httpapi`, flushIntervalMillis: 100 } }),
    mixpanel({ token: 'page-token', options: { api_host: settings.mixpanel, batch_flush_interval_ms: 100 } }),
  ],
})
Object.assign(window, { analytics })
