import { createDelivery } from './delivery.js'
import { uuid7 } from './ids.js'
import { createFilter, refusesTracking } from './privacy.js'
import { createStore } from './store.js'
import type {
  AnalyticsEvent,
  AnyEvents,
  Client,
  Consent,
  EventInput,
  EventMap,
  Host,
  Options,
  Properties,
  Purposes,
} from './types.js'

const DEFAULTS = {
  endpoint: '/api/v1/analytics/events',
  batchSize: 10,
  flushInterval: 5000,
  maxQueue: 1000,
  maxQueueBytes: 524_288,
  maxAge: 604_800_000,
  retryDelay: 1000,
  sessionTimeout: 1_800_000,
  storagePrefix: 'aa.',
  consent: 'granted' as Consent,
  respectGpc: true,
}

interface Identity {
  anonymous_id: string
  user_id?: string
  /** Properties that every event carries. */
  registered?: Properties
}

/** A document that may have been prepared before anybody asked for it. */
type Prepared = Document & { prerendering?: boolean }

let latest: unknown = null

/** The client that was made last, for code that has no other way to it; `null` before there is one. */
export function getAnalytics<Events extends EventMap<Events> = AnyEvents>(): AnalyticsClient<Events> | null {
  return latest as AnalyticsClient<Events> | null
}

/** Sends events of a page, typed by an event map. No call of it throws; on a server none does anything. */
export type AnalyticsClient<Events extends EventMap<Events> = AnyEvents> = Client<Events>

export const AnalyticsClient = function (given?: Options) {
  return createClient({ ...DEFAULTS, ...given })
} as unknown as new <Events extends EventMap<Events> = AnyEvents>(options?: Options) => AnalyticsClient<Events>

// A closure and no class: its names can be shortened, a fifth of the script's size.
function createClient(options: Options & typeof DEFAULTS): Client<AnyEvents> {
  const inPage = typeof document !== 'undefined'
  const CONSENT = options.storagePrefix + 'consent'
  const IDENTITY = options.storagePrefix + 'identity'
  const SESSION = options.storagePrefix + 'session'
  const store = createStore(inPage)
  const filter = createFilter(options)
  const eventListeners = new Set<(event: AnalyticsEvent) => void>()
  const hideListeners = new Set<(leaving: boolean) => void>()
  const consentListeners = new Set<(consent: Consent) => void>()
  const ended = new AbortController()
  const { signal } = ended
  /** Events made before the visitor decided. */
  let pending: AnalyticsEvent[] = []
  let consent: Consent = 'denied'
  let seq = 0
  /** Time in the last event's id. Each has one of its own, so that ids sort as the events came. */
  let ids = 0
  let shown = ''
  let referrer = ''

  const warn = (...words: unknown[]) => {
    if (options.debug) console.warn('[analytics]', ...words)
  }
  const safely = <T>(action: () => T): T | undefined => {
    try {
      return action()
    } catch (error) {
      warn(error)
    }
  }
  const tell = <T>(listeners: Set<(value: T) => void>, value: T) =>
    listeners.forEach((listener) => safely(() => listener(value)))
  const granted = () => consent === 'granted' && !signal.aborted
  const delivery =
    inPage && options.enabled !== false
      ? createDelivery(
          options,
          new URL(options.endpoint, options.host ?? location.origin).href,
          store,
          `${options.storagePrefix}event.`,
          warn,
          granted,
        )
      : undefined

  const read = <T>(name: string) => safely(() => JSON.parse(store.get(name)!) as T | null)
  /** Stored of a decision is `denied`, or what was agreed to. */
  const agreed = () => read<Purposes>(CONSENT)
  const consentNow = () => {
    if (store.get(CONSENT) === 'denied') return 'denied'
    const now = agreed() ? 'granted' : refusesTracking(options) ? 'denied' : options.consent
    // Nothing is counted for a page that was prepared and never looked at.
    return now === 'granted' && (document as Prepared).prerendering ? 'pending' : now
  }

  /** Follow what was decided, wherever that was. */
  const apply = (erase = true) => {
    const next = consentNow()
    if (next === consent) return
    const held = pending
    consent = next
    pending = []
    store.persist(granted() && options.persistence !== 'memory')
    if (consent === 'denied') {
      delivery?.clear()
      if (erase) reset()
    }
    if (granted()) held.forEach(emit)
    tell(consentListeners, consent)
  }
  const decide = (said: string, erase?: boolean) => {
    if (!delivery) return
    // This one thing is stored whatever it says: a refusal that is forgotten would be asked for again.
    store.set(CONSENT, said, true)
    apply(erase)
  }

  const hasOptedOut = () => consent === 'denied'

  const save = (identity: Identity) => {
    if (consent !== 'denied') store.set(IDENTITY, JSON.stringify(identity))
    return identity
  }
  const identityNow = (): Identity => {
    const stored = read<Identity>(IDENTITY)
    return stored?.anonymous_id ? stored : save({ anonymous_id: uuid7() })
  }
  const reset = () => {
    store.remove(IDENTITY)
    store.remove(SESSION)
  }

  /** The session's id is the time at which it began. It ends when nothing happened for a while. */
  const sessionAt = (now: number) => {
    const [id, last] = (store.get(SESSION) ?? '').split(' ')
    const session = id && now - +last! < options.sessionTimeout ? id : `${now}`
    store.set(SESSION, `${session} ${now}`)
    return session
  }

  const pageNow = () => ({
    url: filter.url(location.href),
    path: filter.text(location.pathname),
    title: filter.text(document.title),
    referrer: filter.url(referrer || document.referrer),
  })

  const emit = (made: AnalyticsEvent) =>
    safely(() => {
      made.context.consent = agreed() ?? undefined
      const event = options.beforeSend ? options.beforeSend(made) : made
      if (!event) return
      tell(eventListeners, event)
      if (options.sandbox) console.info('[analytics]', event)
      delivery?.add(event)
    })

  const send = (event_type: string, properties?: object, user_properties?: Properties) =>
    safely(() => {
      if (hasOptedOut() || signal.aborted) return
      const now = Date.now()
      const { anonymous_id, user_id, registered } = identityNow()
      const event: AnalyticsEvent = {
        event_id: uuid7((ids = Math.max(now, ids + 1))),
        event_type,
        event_data: filter.properties({ ...registered, ...properties }),
        user_properties: user_properties && filter.properties(user_properties),
        user_id,
        anonymous_id,
        session_id: sessionAt(now),
        timestamp: now,
        context: {
          page: pageNow(),
          seq: ++seq,
          locale: navigator.language,
          time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
          screen: `${screen.width}x${screen.height}`,
          sdk: 'browser 0.1.0',
          webdriver: navigator.webdriver || undefined,
        },
      }
      if (granted()) emit(event)
      else if (pending.push(event) > options.maxQueue) pending.shift()
    })

  const hide = (leaving: boolean) => {
    tell(hideListeners, leaving)
    delivery?.hide()
  }
  const listen = <E extends Event>(target: EventTarget, types: string, listener: (event: E) => void) => {
    for (const type of types.split(' '))
      target.addEventListener(type, (event) => safely(() => listener(event as E)), { capture: true, signal })
  }

  const client: Client<AnyEvents> = {
    track(given: string | EventInput, properties?: object) {
      if (typeof given === 'string') send(given, properties)
      else send(given.event_type, given.event_data, given.user_properties)
    },
    page(properties) {
      if (!inPage) return
      // Within an application, the page before is the one shown before, whatever `document.referrer` says.
      if (shown && shown !== location.href) referrer = shown
      shown = location.href
      const { path, title, referrer: from } = pageNow()
      send('page_view', { path, title, referrer: from, ...properties })
    },
    identify(user_id, traits) {
      const known = identityNow().user_id
      if (known === user_id && !traits) return
      if (known && known !== user_id) reset()
      save({ ...identityNow(), user_id })
      send('$identify', {}, traits)
    },
    reset,
    register(properties) {
      const identity = identityNow()
      save({ ...identity, registered: { ...identity.registered, ...properties } })
    },
    trackFeatureUsage: (feature_name, properties) => send('feature_used', { feature_name, ...properties }),
    trackFormInteraction: (form_name, action, properties) =>
      void send('form_interaction', { form_name, action, ...properties }),
    optIn: (given) => decide(JSON.stringify(given?.purposes ?? { analytics: true })),
    optOut: (given) => decide('denied', given?.erase),
    hasOptedOut,
    getConsent: () => consent,
    getAnonymousId: () => identityNow().anonymous_id,
    onConsentChange: (listener) => subscribe(consentListeners, listener),
    onEvent: (listener) => subscribe(eventListeners, listener),
    onHide: (listener) => subscribe(hideListeners, listener),
    listen,
    use: (plugin) => delivery && safely(() => plugin(client as unknown as Host)),
    async flush() {
      await delivery?.flush()
    },
    shutdown() {
      hide(true)
      ended.abort()
    },
    sandbox: !!options.sandbox,
  }

  const start = () => {
    const wake = () => delivery?.wake()
    apply()
    listen(window, 'visibilitychange', () => (document.hidden ? hide(false) : wake()))
    listen(window, 'pagehide', () => hide(true))
    listen(window, 'online pageshow', wake)
    // A decision in one tab holds for all of them.
    listen<StorageEvent>(window, 'storage', ({ key }) => {
      if (key === CONSENT) apply()
    })
    wake()
    options.plugins?.forEach(client.use)
  }

  if (inPage) latest = client
  if (delivery) {
    apply()
    if ((document as Prepared).prerendering) listen(document, 'prerenderingchange', start)
    else start()
  }
  return client
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
