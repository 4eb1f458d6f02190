import type { AnalyticsEvent, Plugin } from '../types.js'

/** What a vendor's package can do, once it is loaded; the event has passed the filters. */
export type Hand = (event: AnalyticsEvent) => void

/**
 * Hands events to a vendor in the page and marks them, so that the server does not send them there again.
 *
 * The package is loaded with the first event. Events from before it is there are not marked: the server delivers them.
 */
export function forwardTo(vendor: string, load: () => Promise<Hand>): Plugin {
  return (host) => {
    if (host.sandbox) return
    let hand: Hand | undefined
    let loading = false
    host.onEvent((event) => {
      if (hand) {
        hand(event)
        event.context.forwarded = [...(event.context.forwarded ?? []), vendor]
      } else if (!loading) {
        loading = true
        // A page without the package, or whose blocker keeps it away, goes on: the server delivers.
        load().then(
          (loaded) => (hand = loaded),
          () => undefined,
        )
      }
    })
  }
}
