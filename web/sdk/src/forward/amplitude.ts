import type * as Amplitude from '@amplitude/analytics-browser'

import type { Plugin } from '../types.js'
import { forwardTo } from './mark.js'

export interface AmplitudeOptions {
  apiKey: string
  /** Options of the package, such as `serverZone` or `serverUrl`. */
  options?: Amplitude.Types.BrowserOptions
  /** Loads the package; default `import('@amplitude/analytics-browser')`. */
  load?: () => Promise<Pick<typeof Amplitude, 'createInstance' | 'Identify'>>
}

/** Events to Amplitude in the page, under the same event id (`insert_id`) as from the server. */
export function amplitude({ apiKey, options, load }: AmplitudeOptions): Plugin {
  return forwardTo('amplitude', async () => {
    const { createInstance, Identify } = await (load ?? (() => import('@amplitude/analytics-browser')))()
    const instance = createInstance()
    // Its own collecting would count everything twice, and its cookies were never asked for.
    await instance.init(apiKey, {
      autocapture: false,
      fetchRemoteConfig: false,
      identityStorage: 'none',
      ...options,
    }).promise
    return (event) => {
      const common = {
        insert_id: event.event_id,
        time: event.timestamp,
        device_id: event.anonymous_id,
        session_id: Number(event.session_id),
        ...(event.user_id && { user_id: event.user_id }),
      }
      if (event.event_type !== '$identify') {
        instance.track({ event_type: event.event_type, event_properties: event.event_data, ...common })
        return
      }
      const identify = new Identify()
      for (const [name, value] of Object.entries(event.user_properties ?? {})) identify.set(name, value as string)
      instance.identify(identify, common)
    }
  })
}
