import type { Config, Mixpanel } from 'mixpanel-browser'

import type { Plugin } from '../types.js'
import { forwardTo } from './mark.js'

export interface MixpanelOptions {
  token: string
  /** Options of the package, such as `api_host`. */
  options?: Partial<Config>
  /** Loads the package; default its core, without the recorder, which is a quarter of the size. */
  load?: () => Promise<{ default: Pick<Mixpanel, 'init'> }>
}

/** Events to Mixpanel in the page, under the same event id (`$insert_id`) as from the server. */
export function mixpanel({ token, options, load }: MixpanelOptions): Plugin {
  return forwardTo('mixpanel', async () => {
    const { default: package_ } = await (load ?? loadCore)()
    // Its own collecting would count everything twice; identity and storage are this client's.
    const instance = package_.init(
      token,
      { autocapture: false, track_pageview: false, disable_persistence: true, ...options },
      'analytics_api',
    )
    return (event) => {
      const distinct_id = event.user_id ?? `$device:${event.anonymous_id}`
      if (event.event_type === '$identify') {
        if (event.user_id) instance.identify(event.user_id)
        instance.people.set(event.user_properties ?? {})
        return
      }
      instance.track(event.event_type, {
        ...event.event_data,
        $insert_id: event.event_id,
        time: event.timestamp / 1000,
        distinct_id,
        $device_id: event.anonymous_id,
        ...(event.user_id && { $user_id: event.user_id }),
      })
    }
  })
}

const loadCore = (): Promise<{ default: Pick<Mixpanel, 'init'> }> =>
  import('mixpanel-browser/src/loaders/loader-module-core')
