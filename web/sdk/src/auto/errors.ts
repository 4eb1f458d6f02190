import type { Plugin } from '../types.js'

/** `error` for uncaught errors and unhandled rejections: each once, at most `most` (10) of a page load. */
export function errors({ most = 10 }: { most?: number } = {}): Plugin {
  return (host) => {
    const seen = new Set<string>()
    host.listen<ErrorEvent & PromiseRejectionEvent>(window, 'error unhandledrejection', (event) => {
      const { type: kind, message: said, filename, lineno, colno } = event
      const reason = event.reason as Error | undefined
      // A picture that does not load is an `error` of an element, and says nothing.
      const message = String(reason?.message ?? reason ?? said ?? '').slice(0, 300)
      const at = filename && `${filename}:${lineno}:${colno}`
      if (!message || seen.size >= most || seen.has(message + at)) return
      seen.add(message + at)
      host.track('error', { kind, message, at })
    })
  }
}
