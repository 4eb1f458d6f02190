import type { Plugin } from '../types.js'

interface Shift extends PerformanceEntry {
  value: number
  hadRecentInput: boolean
}

interface Interaction extends PerformanceEntry {
  interactionId?: number
}

/**
 * `web_vitals`, once, when the page is first hidden: `ttfb`, `fcp`, `lcp`, `inp` in milliseconds and `cls`, by the definitions of
 * web.dev. Of a long page, `inp` is the slowest interaction leaving out one for every 50.
 */
export function webVitals(): Plugin {
  return (host) => {
    const vitals: Record<string, number> = {}
    const slowest = new Map<number, number>()
    const observers: PerformanceObserver[] = []
    let first = 0
    let last = 0
    let sum = 0

    const observe = <T extends PerformanceEntry>(type: string, each: (entry: T) => void) => {
      try {
        const observer = new PerformanceObserver((list) => (list.getEntries() as T[]).forEach(each))
        observer.observe({ type, buffered: true, durationThreshold: 40 } as PerformanceObserverInit)
        observers.push(observer)
      } catch {
        // This browser does not measure it.
      }
    }
    observe<PerformanceNavigationTiming>('navigation', (entry) => (vitals.ttfb = entry.responseStart))
    observe('paint', (entry) => {
      if (/content/.test(entry.name)) vitals.fcp = entry.startTime
    })
    observe('largest-contentful-paint', (entry) => (vitals.lcp = entry.startTime))
    observe<Shift>('layout-shift', (entry) => {
      if (entry.hadRecentInput) return
      const { startTime: now, value } = entry
      // Session windows: shifts less than a second apart, five seconds long at most.
      if (now - last > 1000 || now - first > 5000) {
        first = now
        sum = 0
      }
      last = now
      sum += value
      vitals.cls = Math.max(vitals.cls ?? 0, sum)
    })
    observe<Interaction>('event', ({ interactionId: id, duration }) => {
      if (id) slowest.set(id, Math.max(slowest.get(id) ?? 0, duration))
    })
    const unhide = host.onHide(() => {
      const inp = [...slowest.values()].sort((a, b) => b - a)[(slowest.size / 50) | 0]
      if (inp) vitals.inp = inp
      unhide()
      for (const observer of observers) observer.disconnect()
      host.track('web_vitals', vitals)
    })
  }
}
