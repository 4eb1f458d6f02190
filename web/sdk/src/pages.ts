import type { Plugin } from './types.js'

export interface PageViewOptions {
  /** A change of the query is a page view, too. Default false. */
  query?: boolean
  /** A change of the fragment is a page view, too. Default false. */
  hash?: boolean
}

/** Page views: of the first page, of every other path that the History API shows, of a page that comes back from the cache. */
export function pageViews({ query, hash }: PageViewOptions = {}): Plugin {
  return (host) => {
    const address = () => location.pathname + (query ? location.search : '') + (hash ? location.hash : '')
    let shown: string | undefined
    let timer: ReturnType<typeof setTimeout> | undefined

    const send = () => {
      if (!timer) return
      clearTimeout(timer)
      timer = undefined
      host.page()
    }
    // The title follows the address: routers set it after the navigation. A page left at once was a redirect.
    const look = () => {
      if (address() === shown) return
      shown = address()
      clearTimeout(timer)
      timer = setTimeout(send, 50)
    }
    for (const name of ['pushState', 'replaceState'] as const) {
      const original = history[name]
      history[name] = function (...given) {
        original.apply(this, given)
        look()
      }
    }
    host.listen(window, 'popstate hashchange', look)
    host.listen<PageTransitionEvent>(window, 'pageshow', (event) => {
      if (event.persisted) host.page()
    })
    host.onHide(send)
    look()
  }
}
