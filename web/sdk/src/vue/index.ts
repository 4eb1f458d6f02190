import {
  hasInjectionContext,
  inject,
  nextTick,
  onBeforeUnmount,
  onMounted,
  type App,
  type Directive,
  type InjectionKey,
  type ObjectDirective,
  type Ref,
} from 'vue'
import type { Router } from 'vue-router'

import { autoTrack } from '../auto/elements.js'
import { trackForm } from '../auto/forms.js'
import { AnalyticsClient, getAnalytics } from '../client.js'
import { pageViews } from '../pages.js'
import type { AnyEvents, EventInput, EventMap, Host, Options, Properties } from '../types.js'

/** Key under which components inject the client. */
export const ANALYTICS: InjectionKey<AnalyticsClient<never>> = Symbol('analytics')

export interface VueOptions extends Options {
  /** Page views follow this router, with the route's name and pattern; without one they follow the History API. */
  router?: Router
  /** Page views by themselves. Default true. */
  pageViews?: boolean
  /** Clicks and forms by `data-analytics-*` attributes. Default true. */
  autoTrack?: boolean
}

export interface AnalyticsPlugin<Events extends EventMap<Events>> {
  install(app: App): void
  /** For code outside of components. */
  client: AnalyticsClient<Events>
}

/** The plugin: `app.use(createAnalytics({router, key: 'wk_...'}))`. On a server every call of its client does nothing. */
export function createAnalytics<Events extends EventMap<Events> = AnyEvents>({
  router,
  pageViews: views = true,
  autoTrack: auto = true,
  plugins = [],
  ...options
}: VueOptions = {}): AnalyticsPlugin<Events> {
  const client = new AnalyticsClient<Events>({
    ...options,
    plugins: [...plugins, ...(views && !router ? [pageViews()] : []), ...(auto ? [autoTrack()] : [])],
  })
  if (views && router) client.use(() => followRouter(client as unknown as AnalyticsClient, router))
  return {
    client,
    install(app) {
      app.provide(ANALYTICS, client)
      app.config.globalProperties.$analytics = client as unknown as AnalyticsClient
      app.directive('track', vTrack)
    },
  }
}

function followRouter(client: AnalyticsClient, router: Router): void {
  let shown: string | undefined
  router.afterEach((to, _from, failure) => {
    if (failure || to.path === shown) return
    shown = to.path
    // Components set the title when they are made: after the next update, and a moment for what they load.
    void nextTick(() =>
      setTimeout(() => {
        if (to.path !== shown) return
        const title: unknown = to.meta.analyticsTitle
        client.page({
          ...(to.name && { route: String(to.name) }),
          pattern: to.matched.at(-1)?.path,
          ...(typeof title === 'string' && { title }),
        })
      }, 20),
    )
  })
}

export interface Analytics<Events extends EventMap<Events>>
  extends Pick<
    AnalyticsClient<Events>,
    'track' | 'page' | 'identify' | 'reset' | 'register' | 'trackFeatureUsage' | 'trackFormInteraction'
  > {
  client: AnalyticsClient<Events>
  /** The value of `action`, after `started` and `completed` or `failed` events with the time that it took. */
  trackDuration<T>(name: string, action: () => Promise<T>, properties?: Properties): Promise<T>
}

/** The client in a component; also elsewhere, once there is one. Throws when no plugin is installed. */
export function useAnalytics<Events extends EventMap<Events> = AnyEvents>(): Analytics<Events> {
  const found = (hasInjectionContext() ? inject(ANALYTICS, null) : null) ?? getAnalytics()
  if (!found) throw new Error('useAnalytics: there is no client yet; call app.use(createAnalytics({...})) first')
  const client = found as unknown as AnalyticsClient<Events>
  const send = client.track as unknown as (name: string, properties: Properties) => void
  return {
    client,
    track: client.track,
    page: client.page,
    identify: client.identify,
    reset: client.reset,
    register: client.register,
    trackFeatureUsage: client.trackFeatureUsage,
    trackFormInteraction: client.trackFormInteraction,
    async trackDuration(name, action, properties) {
      const began = Date.now()
      send(`${name}_started`, { ...properties })
      try {
        const value = await action()
        send(`${name}_completed`, { ...properties, duration_ms: Date.now() - began })
        return value
      } catch (error) {
        send(`${name}_failed`, {
          ...properties,
          duration_ms: Date.now() - began,
          error: error instanceof Error ? error.name : String(error),
        })
        throw error
      }
    },
  }
}

/** Send an event when half of an element has been in view, once. */
export function useTrackOnVisible(
  element: Readonly<Ref<Element | null | undefined>>,
  name: string,
  properties?: Properties,
): void {
  const { client } = useAnalytics()
  let stop: (() => void) | undefined
  onMounted(() => {
    if (element.value) stop = whenVisible(element.value, () => client.track(name, properties))
  })
  onBeforeUnmount(() => stop?.())
}

/** Send the interactions with a form of this component: `start`, `submit`, `error`, `abandon`; never a value. */
export function useFormTracking(form: Readonly<Ref<HTMLFormElement | null | undefined>>, name: string): void {
  const { client } = useAnalytics()
  const ended = new AbortController()
  const undo: (() => void)[] = []
  let abandon: ((leaving: boolean) => void) | undefined
  onMounted(() => {
    if (!form.value) return
    const host: Host = {
      track: (type, properties) => client.track(type, properties),
      page: () => undefined,
      onEvent: (listener) => (undo.push(client.onEvent(listener)), () => undefined),
      onHide: (listener) => ((abandon = listener), undo.push(client.onHide(listener)), () => undefined),
      listen: (target, types, listener) => {
        for (const type of types.split(' '))
          target.addEventListener(type, listener as EventListener, { capture: true, signal: ended.signal })
      },
      sandbox: client.sandbox,
    }
    trackForm({ root: form.value, nameOf: () => name })(host)
  })
  onBeforeUnmount(() => {
    abandon?.(true)
    ended.abort()
    for (const stop of undo) stop()
  })
}

type Binding = string | EventInput | { event: string; properties?: Properties }

const stops = new WeakMap<Element, () => void>()

/**
 * `v-track="'name'"`, `v-track="{event: 'name', properties: {...}}"`: on click, or on another event with `v-track:submit`;
 * `.visible` when half of the element has been in view, once; `.once`.
 */
export const vTrack: ObjectDirective<HTMLElement, Binding> & Directive<HTMLElement, Binding> = {
  mounted(element, binding) {
    latest.set(element, binding.value)
    const send = () => sendBinding(latest.get(element))
    const type = String(binding.arg ?? 'click')
    if (binding.modifiers.visible) {
      stops.set(element, whenVisible(element, send))
      return
    }
    element.addEventListener(type, send, { once: !!binding.modifiers.once })
    stops.set(element, () => element.removeEventListener(type, send))
  },
  updated(element, binding) {
    latest.set(element, binding.value)
  },
  beforeUnmount(element) {
    stops.get(element)?.()
  },
  getSSRProps: () => ({}),
}

const latest = new WeakMap<Element, Binding>()

function sendBinding(value: Binding | undefined): void {
  const client = getAnalytics()
  if (!client || !value) return
  if (typeof value === 'string') client.track(value)
  else if ('event' in value) client.track(value.event, value.properties)
  else client.track(value)
}

function whenVisible(element: Element, action: () => void): () => void {
  if (typeof IntersectionObserver === 'undefined') return () => undefined
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return
      observer.disconnect()
      action()
    },
    { threshold: 0.5 },
  )
  observer.observe(element)
  return () => observer.disconnect()
}

export { getAnalytics } from '../client.js'

declare module 'vue' {
  interface ComponentCustomProperties {
    $analytics: AnalyticsClient
  }
}
