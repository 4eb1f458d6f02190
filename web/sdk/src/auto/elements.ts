import type { Plugin, Properties } from '../types.js'
import { trackForm } from './forms.js'

const OURS = /^analytics(?!(Track|Form)$)[A-Z]/

/** The nearest element that fits, from where an event began, also inside an open shadow root. */
export function closestOf<E extends Element = HTMLElement>(event: Event, selector: string): E | null | undefined {
  return (event.composedPath()[0] as Partial<Element>).closest?.<E>(selector)
}

/** `data-analytics-plan-id="7"` as `{plan_id: '7'}`. */
export function propertiesOf(element: Element): Properties {
  return Object.fromEntries(
    Object.entries((element as HTMLElement).dataset)
      .filter(([name]) => OURS.test(name))
      .map(([name, value]) => [name.slice(9).replace(/\B[A-Z]/g, '_$&').toLowerCase(), value]),
  )
}

/**
 * Events by attributes: clicks on `[data-analytics-track]` (submits, when it is a form), and forms with `[data-analytics-form]`.
 *
 * One listener each on the document, so elements that come later count as well; nothing is prevented or delayed.
 */
export function autoTrack(): Plugin {
  return (host) => {
    host.listen(document, 'click submit', (event) => {
      const element = closestOf(event, '[data-analytics-track]')
      if (element && (event.type === 'submit') === element.matches('form'))
        host.track(element.dataset.analyticsTrack!, propertiesOf(element))
    })
    trackForm({ root: document, nameOf: (form) => form.dataset.analyticsForm, propertiesOf })(host)
  }
}
