/** Values of an event: anything that JSON can hold. */
export type Properties = Record<string, unknown>

/** Event types with their properties: `interface MyEvents { signup: { plan: string } }`. */
export type EventMap<T> = { [K in keyof T]: object }

/** What any event type may carry when no event map is given. */
export type AnyEvents = Record<string, Properties>

/** Properties must be given when the event map requires one of them. */
export type PropertiesOf<T> = Record<never, never> extends T ? [properties?: T] : [properties: T]

/** An event in the form of the HTTP API. */
export interface EventInput<Name extends string = string, Data extends object = Properties> {
  event_type: Name
  event_data?: Data
  user_properties?: Properties | undefined
}

export interface Page {
  url: string
  path: string
  title: string
  referrer: string
}

export interface Context {
  page: Page
  /** Position among the events of this page load, from 1. */
  seq: number
  locale: string
  time_zone: string
  /** CSS pixels, as in `1440x900`. */
  screen: string
  sdk: string
  /** Vendors to which this page has handed the event itself; the server does not send it there again. */
  forwarded?: string[]
  webdriver?: boolean | undefined
  /** What the visitor agreed to, once they decided. */
  consent?: Purposes | undefined
  [name: string]: unknown
}

/** An event as it is stored and sent. */
export interface AnalyticsEvent {
  event_id: string
  event_type: string
  event_data: Properties
  user_properties?: Properties | undefined
  user_id?: string | undefined
  anonymous_id: string
  session_id: string
  /** Milliseconds since 1970 by this device's clock; the server corrects it by the envelope's `sent_at`. */
  timestamp: number
  context: Context
}

export type Consent = 'pending' | 'granted' | 'denied'

/** What a visitor agreed to, as in `{analytics: true, ads: false}`; rules of destinations ask for purposes by these names. */
export type Purposes = Record<string, boolean>

/** The part of the client that plugins see, without its event types. */
export interface Host {
  track(event_type: string, properties?: Properties): void
  page(properties?: Properties): void
  /** Called with each event on its way out, after the filters; it may change the event. Returns the way to stop. */
  onEvent(listener: (event: AnalyticsEvent) => void): () => void
  /** Called when the page is hidden or left, before the last events are sent. Returns the way to stop. */
  onHide(listener: (leaving: boolean) => void): () => void
  /** Listen in the capture phase to types of DOM events, with a blank between, for as long as the plugin is in use. */
  listen<E extends Event>(target: EventTarget, types: string, listener: (event: E) => void): void
  readonly sandbox: boolean
}

/** Started once the page is visible and the client is enabled. */
export type Plugin = (host: Host) => void

export interface Limits {
  /** A write key of the project. Without one the server must be a sandbox on this machine. */
  key?: string | undefined
  /** Events that make a request go out at once. Default 10. */
  batchSize: number
  /** Milliseconds that an event waits for others at most. Default 5000. */
  flushInterval: number
  /** Bounds of the stored queue; the oldest events go first. Defaults 1000 events, 524,288 characters, 7 days in milliseconds. */
  maxQueue: number
  maxQueueBytes: number
  maxAge: number
  /** Milliseconds before the first retry; doubled each time, up to an hour. Default 1000. */
  retryDelay: number
}

export interface Options extends Partial<Limits> {
  /** Origin of the server, as in `https://analytics.example.com`. Default: the origin of the page. */
  host?: string
  /** Path (or whole address) that takes events. Default: `/api/v1/analytics/events`. */
  endpoint?: string
  /** `false` makes every call a no-op. */
  enabled?: boolean
  /** Log every event to the console; vendors get nothing. */
  sandbox?: boolean
  /** Log problems to the console. */
  debug?: boolean
  /** Until the visitor has decided. Default `granted`. A decision is remembered. */
  consent?: Consent
  /** Treat Global Privacy Control as `denied` until the visitor decides otherwise. Default true. */
  respectGpc?: boolean
  /** The same for Do Not Track. Default false. */
  respectDnt?: boolean
  /** Send personal fields and texts as they are. Default false. */
  piiTracking?: boolean
  /** Further names of fields that are personal; with commas between in a text. */
  piiKeys?: string | string[]
  /** Last word on every URL that is sent, after the built-in filter. */
  urlFilter?: (url: string) => string
  /** Last word on every event; `null` drops it. */
  beforeSend?: (event: AnalyticsEvent) => AnalyticsEvent | null
  /** `memory` stores nothing on the device but a decision about consent. Default `storage`. */
  persistence?: 'storage' | 'memory'
  /** Prefix of what is stored; clients with one prefix share identity, session and queue. Default `aa.`. */
  storagePrefix?: string
  /** Milliseconds without an event after which the next one begins a session. Default 30 minutes. */
  sessionTimeout?: number
  /** Optional parts, as in `[pageViews(), autoTrack()]`. */
  plugins?: Plugin[]
}

/** What `new AnalyticsClient<MyEvents>(options)` gives. */
export interface Client<Events extends EventMap<Events> = AnyEvents> {
  /** Send an event: `track('signup', {plan: 'pro'})`. */
  track<Name extends keyof Events & string>(name: Name, ...properties: PropertiesOf<Events[Name]>): void
  /** The same in the form of the HTTP API: `track({event_type: 'signup', event_data: {plan: 'pro'}})`. */
  track<Name extends keyof Events & string>(event: EventInput<Name, Events[Name]>): void
  /** Send a `page_view` of the present address. */
  page(properties?: Properties): void
  /** From now on this visitor is that user; traits become properties of the user. Another user is another visitor. */
  identify(userId: string, traits?: Properties): void
  /** Forget who the visitor is: a new anonymous id, a new session, nothing registered. For logging out. */
  reset(): void
  /** Properties that every event from now on carries; `undefined` takes one away. */
  register(properties: Properties): void
  /** Send `feature_used`. */
  trackFeatureUsage(feature: string, properties?: Properties): void
  /** Send `form_interaction`. Give no values that somebody typed. */
  trackFormInteraction(form: string, action: string, properties?: Properties): void

  /**
   * The visitor agrees: what was held back is sent, and the decision is remembered. From now on every event says in
   * `context.consent` to what; default `{analytics: true}`.
   */
  optIn(options?: { purposes?: Purposes }): void
  /** The visitor refuses: nothing is sent any more, and what is stored is erased (`erase: false` keeps the ids). */
  optOut(options?: { erase?: boolean }): void
  hasOptedOut(): boolean
  getConsent(): Consent
  /** Called with every change of consent, also with one made in another tab. Returns the way to stop. */
  onConsentChange(listener: (consent: Consent) => void): () => void

  getAnonymousId(): string
  /** Start a plugin. It ends with `shutdown`. */
  use(plugin: Plugin): void
  onEvent: Host['onEvent']
  onHide: Host['onHide']
  listen: Host['listen']
  /** Send what is waiting. Resolves when it is sent, or when it has to wait. */
  flush(): Promise<void>
  /** Stop listening and sending. What is stored stays for the next page. */
  shutdown(): void
  readonly sandbox: boolean
}
