import { uuid7 } from './ids.js'
import type { Store } from './store.js'
import type { AnalyticsEvent, Limits } from './types.js'

/** Browsers let requests that outlive their page carry 64 KB in all; measured: 65,000 bytes pass, 66,000 do not. */
const LARGEST = 60_000

const MOST_EVENTS = 100
const LONGEST_WAIT = 3_600_000
const TIMEOUT = 30_000
const SETTLING = 200

/**
 * Keeps each event under a name of its own until the server has answered for it.
 *
 * Appending and removing are single writes, so tabs need no agreement for them; sending is done under a Web Lock, which the
 * browser releases when a tab dies.
 */
export interface Delivery {
  add(event: AnalyticsEvent): void
  /** Resolves when nothing is left, or when the rest has to wait. */
  flush(): Promise<void>
  /** The page may be gone in a moment: hand over what this page has added and nobody has confirmed. */
  hide(): void
  /** The page is back, or the network: end the waiting that the server did not ask for. */
  wake(): void
  /** Forget every event that is waiting. */
  clear(): void
}

type Batch = [name: string, event: string][]

export function createDelivery(
  { key, batchSize, flushInterval, maxQueue, maxQueueBytes, maxAge, retryDelay }: Limits,
  url: string,
  store: Store,
  /** Start of the names of waiting events; also the name of the lock. */
  queue: string,
  warn: (...words: unknown[]) => void,
  /** Whether anything may be sent at present. */
  granted: () => boolean,
): Delivery {
  /** Names of this page's events that nobody has confirmed. */
  const own = new Set<string>()
  /** Names in a request that will be answered. */
  const underWay = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let due = Infinity
  let notBefore = 0
  /** Milliseconds that the server asked to wait, if the last failure was an answer that did. */
  let asked = 0
  let failures = 0
  let most = MOST_EVENTS
  let fresh = 0
  let running: Promise<void> | undefined

  const schedule = (delay: number) => {
    const at = Math.max(Date.now() + delay, notBefore)
    // A later deadline never replaces an earlier one.
    if (at >= due) return
    clearTimeout(timer)
    due = at
    timer = setTimeout(() => void drain(), at - Date.now())
  }

  const forget = (name: string) => {
    store.remove(name)
    own.delete(name)
  }

  /** Names in the order of their events, after dropping the oldest ones: what is too old or too much. */
  const waiting = () => {
    const oldest = queue + uuid7(Date.now() - maxAge)
    let size = 0
    return store
      .names(queue)
      .reverse()
      .filter((name, at) => {
        size += (store.get(name) ?? '').length
        const kept = at < maxQueue && size <= maxQueueBytes && name > oldest
        if (!kept) {
          forget(name)
          warn('dropped', name)
        }
        return kept
      })
      .reverse()
  }

  const sizeOf = (text: string) => new Blob([text]).size

  /** Of these names, the first ones whose events fit into a request, with the events. */
  const batchOf = (names: Iterable<string>) => {
    const batch: Batch = []
    let size = 0
    for (const name of names) {
      const event = granted() && !underWay.has(name) && store.get(name)
      if (!event) continue
      size += sizeOf(event) + 1
      if (batch.length && (batch.length >= most || size > LARGEST)) break
      batch.push([name, event])
    }
    return batch
  }

  const bodyOf = (batch: Batch) =>
    `${JSON.stringify({ key, sent_at: Date.now() }).slice(0, -1)},"events":[${batch.map(([, event]) => event).join()}]}`

  /** Sends a batch; whether the next one may follow at once. A text body needs no preflight. */
  const send = async (batch: Batch) => {
    const body = bodyOf(batch)
    let status = 0
    asked = 0
    for (const [name] of batch) underWay.add(name)
    try {
      const answer = await fetch(url, {
        method: 'POST',
        body,
        credentials: 'omit',
        keepalive: true,
        signal: AbortSignal.timeout?.(TIMEOUT),
      })
      status = answer.status
      asked = +answer.headers.get('Retry-After')! * 1000
    } catch (error) {
      warn(error)
    }
    for (const [name] of batch) underWay.delete(name)
    if (status === 413 && batch[1]) {
      most = batch.length >> 1
      return true
    }
    if (/^(0|408|429|5..)$/.test(`${status}`)) {
      notBefore =
        Date.now() + Math.min(asked || retryDelay * 2 ** failures++ * (0.5 + Math.random() / 2), LONGEST_WAIT)
      schedule(0)
      return false
    }
    if (status > 299) warn(status)
    failures = 0
    most = MOST_EVENTS
    for (const [name] of batch) forget(name)
    return true
  }

  const sendAll = async () => {
    let batch
    let sent
    while ((batch = batchOf(waiting()))[0] && (await send(batch))) sent = true
    // Other tabs learn a little later what was removed; before that they must not get the lock.
    if (sent) await new Promise((resolve) => setTimeout(resolve, SETTLING))
  }

  const drain = () => {
    clearTimeout(timer)
    due = Infinity
    fresh = 0
    // Also when this was asked for before the waiting began.
    if (running || Date.now() < notBefore) {
      schedule(flushInterval)
      return running
    }
    return (running = (async () => {
      let begun = false
      try {
        await navigator.locks.request(queue, () => ((begun = true), sendAll()))
      } catch {
        // No locks outside secure contexts, nor where storage is blocked. The server recognises what two tabs send.
        if (!begun) await sendAll()
      }
      running = undefined
    })())
  }

  return {
    add(event) {
      const name = queue + event.event_id
      const text = JSON.stringify(event)
      if (sizeOf(text) > LARGEST) return warn('dropped', name)
      store.set(name, text)
      own.add(name)
      waiting()
      schedule(++fresh < batchSize ? flushInterval : 0)
    },
    async flush() {
      await running
      await drain()
    },
    hide() {
      const batch = batchOf(own)
      if (!batch[0]) return
      // Older browsers cannot let a request outlive its page, but a beacon; that has no answer, so its events stay stored.
      if ('keepalive' in Request.prototype) void send(batch)
      else navigator.sendBeacon?.(url, bodyOf(batch))
    },
    wake() {
      failures = 0
      if (!asked) notBefore = 0
      due = Infinity
      schedule(0)
    },
    clear() {
      for (const name of store.names(queue)) forget(name)
    },
  }
}
