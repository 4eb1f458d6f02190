import type { Plugin, Properties } from '../types.js'

export interface FormTracking {
  /** Where to listen: the document, or one form. */
  root: Document | HTMLElement
  /** Name of a form, or `undefined` for one that is not tracked. */
  nameOf: (form: HTMLFormElement) => string | undefined
  propertiesOf?: (form: HTMLFormElement) => Properties
}

/**
 * Form interactions: `start`, `submit`, `error` (a field that the browser found invalid) and `abandon`, with the names of the fields
 * in the order in which they had the focus and the time. Never a value.
 */
export function trackForm({ root, nameOf, propertiesOf }: FormTracking): Plugin {
  return (host) => {
    const visits = new Map<HTMLFormElement, { began: number; fields: string[] }>()

    const send = (form: HTMLFormElement, action: string, more: Properties) =>
      host.track('form_interaction', { form_name: nameOf(form), action, ...propertiesOf?.(form), ...more })
    const end = (form: HTMLFormElement, action: string) => {
      const { began = Date.now(), fields = [] } = visits.get(form) ?? {}
      visits.delete(form)
      send(form, action, { fields, duration_ms: Date.now() - began })
    }
    const abandon = (leaving?: boolean) =>
      visits.forEach((_, form) => {
        if (leaving || !form.isConnected) end(form, 'abandon')
      })

    host.listen(root, 'focusin submit invalid', ({ type, target }) => {
      const field = target as HTMLInputElement | HTMLFormElement
      const form = type === 'submit' ? (field as HTMLFormElement) : (field.form as HTMLFormElement | null)
      if (!form || !nameOf(form)) return
      if (type === 'submit') return end(form, type)
      const name = field.name || field.id
      if (type === 'invalid') return send(form, 'error', { field: name })
      const visit = visits.get(form)
      if (visit) {
        if (visit.fields.at(-1) !== name) visit.fields.push(name)
      } else {
        visits.set(form, { began: Date.now(), fields: [name] })
        send(form, 'start', { field: name })
      }
    })
    host.onHide((leaving) => leaving && abandon(true))
    // A form that a single-page application took away was left, too.
    host.onEvent((event) => event.event_type === 'page_view' && abandon())
  }
}
