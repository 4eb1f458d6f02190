import { afterEach, beforeEach, expect, expectTypeOf, test, vi } from 'vitest'

import { AnalyticsClient, fromEnv, getAnalytics, scrub, type AnalyticsEvent, type Options } from '../src/index.js'
import { uuid7 } from '../src/ids.js'
import { Collector } from './collector.js'

let collector: Collector
const clients: { shutdown(): void }[] = []

function make<Events extends { [K in keyof Events]: object } = Record<string, Record<string, unknown>>>(
  options: Options = {},
) {
  const client = new AnalyticsClient<Events>({ host: 'http://collector.test', flushInterval: 1, ...options })
  clients.push(client)
  return client
}

beforeEach(() => {
  localStorage.clear()
  collector = new Collector().install()
})
afterEach(() => {
  for (const client of clients.splice(0)) client.shutdown()
})

test('ids are version 7 and sort by time', () => {
  const ids = Array.from({ length: 200 }, (_, index) => uuid7(1_700_000_000_000 + index))
  expect([...ids].sort()).toEqual(ids)
  expect(new Set(ids).size).toBe(200)
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('both forms of track', async () => {
  const client = make({ key: 'wk_1' })
  client.track('signup', { plan: 'pro' })
  client.track({ event_type: 'signup', event_data: { plan: 'free' }, user_properties: { level: 2 } })
  await client.flush()
  expect(collector.of('signup').map((event) => event.event_data)).toEqual([{ plan: 'pro' }, { plan: 'free' }])
  expect(collector.events[1]!.user_properties).toEqual({ level: 2 })
  expect(JSON.parse(collector.bodies[0]!)).toMatchObject({ key: 'wk_1', sent_at: expect.any(Number) as number })
})

test('Do Not Track is a refusal where it is to be respected, until the visitor says otherwise', async () => {
  vi.stubGlobal('navigator', Object.create(navigator, { doNotTrack: { value: '1' } }))
  try {
    const heedless = make()
    heedless.track('seen')
    await heedless.flush()
    expect(collector.of('seen')).toHaveLength(1)
    const heeding = make({ respectDnt: true })
    heeding.track('seen')
    await heeding.flush()
    expect(collector.of('seen')).toHaveLength(1)
    heeding.optIn()
    heeding.track('seen')
    await heeding.flush()
    expect(collector.of('seen')).toHaveLength(2)
  } finally {
    vi.unstubAllGlobals()
  }
})

test('the event map types names and properties', () => {
  interface MyEvents {
    signup: { plan: 'free' | 'pro' }
    logout: object
  }
  const client = make<MyEvents>()
  client.track('signup', { plan: 'pro' })
  client.track('logout')
  client.track({ event_type: 'signup', event_data: { plan: 'free' } })
  // @ts-expect-error -- no such plan
  client.track('signup', { plan: 'gold' })
  // @ts-expect-error -- the plan is missing
  client.track('signup')
  // @ts-expect-error -- no such event
  client.track('sign_up', {})
  expectTypeOf(getAnalytics<MyEvents>()).toEqualTypeOf<AnalyticsClient<MyEvents> | null>()
  expect(getAnalytics()).toBe(client)
})

test.each([
  ['mail ada@example.com now', 'mail [redacted] now'],
  ['https://x.test/?token=abc&tab=2', 'https://x.test/?token=[redacted]&tab=2'],
  ['/cb#access_token=abc&state=1', '/cb#access_token=[redacted]&state=1'],
  ['?email=ada%40example.com', '?email=[redacted]'],
  ['call +49 40 123456-78', 'call [redacted]'],
  ['card 4111 1111 1111 1111.', 'card [redacted].'],
  ['eyJhbGciOi.eyJzdWIi.c2ln', '[redacted]'],
  ['version 1.2.3 of 1773144000000', 'version 1.2.3 of 1773144000000'],
])('%s', (given, expected) => expect(scrub(given)).toBe(expected))

test('personal fields go at any depth, unless that is switched on', async () => {
  const data = { plan: 'pro', 'First-Name': 'Ada', list: [{ email: 'x', ok: 1 }], nested: { phone: 1, note: 'ada@example.com' }, vat: 'DE1' }
  const client = make({ piiKeys: ['VAT'] })
  client.track('filtered', data)
  const open = make({ piiTracking: true, storagePrefix: 'open.' })
  open.track('open', data)
  await Promise.all([client.flush(), open.flush()])
  expect(collector.of('filtered')[0]!.event_data).toEqual({ plan: 'pro', list: [{ ok: 1 }], nested: { note: '[redacted]' } })
  expect(collector.of('open')[0]!.event_data).toEqual(data)
})

test('nothing that is tracked can break the page', async () => {
  const warned = vi.spyOn(console, 'warn').mockReturnValue()
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  const client = make({ debug: true, plugins: [() => { throw new Error('plugin') }] })
  client.track('cycle', cycle)
  client.track('big', { n: 1n })
  client.track('good', { date: new Date(0), gone: undefined, call: () => 1 })
  await client.flush()
  expect(collector.events.map((event) => event.event_type)).toEqual(['good'])
  expect(collector.events[0]!.event_data).toEqual({ date: '1970-01-01T00:00:00.000Z' })
  expect(warned).toHaveBeenCalledTimes(3)
  warned.mockRestore()
})

test('beforeSend changes and drops', async () => {
  const beforeSend = (event: AnalyticsEvent) =>
    event.event_type === 'drop' ? null : { ...event, event_data: { ...event.event_data, added: 1 } }
  const client = make({ beforeSend })
  client.track('drop')
  client.track('keep', { n: 1 })
  await client.flush()
  expect(collector.events.map((event) => event.event_data)).toEqual([{ n: 1, added: 1 }])
})

test('the queue is bounded in number, size and age; the oldest go first', async () => {
  collector.statuses = [503, 503, 503]
  const client = make({ maxQueue: 5, retryDelay: 3_600_000 })
  client.track('old', {})
  await client.flush()
  for (let n = 0; n < 8; n++) client.track('full', { n })
  const stored = () =>
    Object.keys(localStorage).filter((name) => name.startsWith('aa.event.')).sort()
      .map((name) => (JSON.parse(localStorage.getItem(name)!) as AnalyticsEvent).event_data.n)
  expect(stored()).toEqual([3, 4, 5, 6, 7])
  // Ids of one client may be some milliseconds ahead; another tab's come later.
  await new Promise((resolve) => setTimeout(resolve, 30))
  const large = make({ maxQueueBytes: 4600, retryDelay: 3_600_000 })
  large.track('full', { n: 8, text: 'x'.repeat(4000) })
  expect(stored()).toEqual([8])
  large.track('full', { n: 9, text: 'x'.repeat(70_000) })
  expect(stored()).toEqual([8])
  const name = `aa.event.${uuid7(Date.now() - 8 * 86_400_000)}`
  localStorage.setItem(name, '{"event_type":"ancient"}')
  large.track('full', { n: 10 })
  expect(localStorage.getItem(name)).toBeNull()
})

test('a session ends after half an hour without events', async () => {
  vi.useFakeTimers({ now: 1_800_000_000_000, toFake: ['Date'] })
  const client = make()
  client.track('a')
  vi.setSystemTime(1_800_000_000_000 + 29 * 60_000)
  client.track('b')
  vi.setSystemTime(1_800_000_000_000 + 59 * 60_000 + 1)
  client.track('c')
  vi.useRealTimers()
  const sessions = Object.keys(localStorage).filter((name) => name.startsWith('aa.event.')).sort()
    .map((name) => (JSON.parse(localStorage.getItem(name)!) as AnalyticsEvent).session_id)
  expect(sessions).toEqual(['1800000000000', '1800000000000', String(1_800_000_000_000 + 59 * 60_000 + 1)])
  await client.flush()
})

test('settings of the guide', () => {
  expect(
    fromEnv({
      VITE_ANALYTICS_ENABLED: 'true',
      VITE_ANALYTICS_PII_TRACKING: 'false',
      VITE_ANALYTICS_SANDBOX_MODE: 'false',
      VITE_ANALYTICS_BATCH_SIZE: '10',
      VITE_ANALYTICS_FLUSH_INTERVAL: '5000',
      VITE_ANALYTICS_KEY: 'wk_1',
      DEV: true,
    }),
  ).toEqual({ enabled: true, piiTracking: false, sandbox: false, batchSize: 10, flushInterval: 5000, key: 'wk_1' })
  expect(() => fromEnv({ VITE_ANALYTICS_BATCH_SIZE: 'ten' })).toThrow('VITE_ANALYTICS_BATCH_SIZE: "ten"')
})

test('switched off, nothing is stored or sent', async () => {
  const client = make({ enabled: false })
  client.track('a')
  client.identify('ada')
  client.optIn()
  await client.flush()
  expect([collector.bodies.length, localStorage.length]).toEqual([0, 0])
})

test('events say what the visitor agreed to, also those from before; without a decision nothing', async () => {
  const client = make()
  client.track('undecided')
  client.optIn()
  client.track('usual')
  client.optIn({ purposes: { analytics: true, ads: false } })
  client.track('chosen')
  const later = make({ consent: 'pending' })
  later.track('remembered')
  const asking = make({ consent: 'pending', storagePrefix: 'asking.' })
  asking.track('held')
  // As a handler of a click it is given an event, which is no list of purposes.
  asking.optIn(new Event('click') as object)
  await Promise.all([client.flush(), later.flush(), asking.flush()])
  const said = Object.fromEntries(collector.events.map(({ event_type, context }) => [event_type, context.consent]))
  expect(said).toEqual({
    undecided: undefined,
    usual: { analytics: true },
    chosen: { analytics: true, ads: false },
    remembered: { analytics: true, ads: false },
    held: { analytics: true },
  })
})

test('in memory alone, nothing but the decision is on the device', async () => {
  const client = make({ persistence: 'memory' })
  client.track('before')
  client.optIn()
  client.track('after')
  expect(Object.keys(localStorage)).toEqual(['aa.consent'])
  await client.flush()
  expect(collector.events.map((event) => event.event_type)).toEqual(['before', 'after'])
})

test('a decision that cannot be read is none', async () => {
  localStorage.setItem('aa.consent', '{half')
  const client = make({ consent: 'pending' })
  client.track('held')
  await client.flush()
  expect([client.getConsent(), collector.bodies.length]).toEqual(['pending', 0])
})

test('after shutdown nothing is sent', async () => {
  const client = make({ flushInterval: 60_000 })
  client.track('before')
  client.shutdown()
  client.track('after')
  await client.flush()
  // The first one went out with a beacon and waits for the next page, as beacons have no answer.
  expect(collector.bodies).toEqual([])
  expect(Object.keys(localStorage).filter((name) => name.startsWith('aa.event.')).length).toBe(1)
})
