import type { AnalyticsEvent } from '../src/index.js'

/** Answers requests as the server does, and keeps the events. */
export class Collector {
  readonly events: AnalyticsEvent[] = []
  readonly bodies: string[] = []
  statuses: number[] = []

  install(): this {
    globalThis.fetch = ((_url: string, { body }: { body: string }) => {
      this.bodies.push(body)
      const status = this.statuses.shift() ?? 202
      if (status < 300) this.events.push(...(JSON.parse(body) as { events: AnalyticsEvent[] }).events)
      return Promise.resolve(new Response('{}', { status }))
    }) as typeof fetch
    navigator.sendBeacon = () => true
    return this
  }

  of(type: string): AnalyticsEvent[] {
    return this.events.filter((event) => event.event_type === type)
  }
}
