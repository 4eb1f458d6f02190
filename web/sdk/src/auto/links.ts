import type { Host, Plugin } from '../types.js'
import { closestOf } from './elements.js'

const FILES = /\.(pdf|docx?|xlsx?|pptx?|csv|zip|gz|rar|7z|dmg|exe|msi|mp[34])$/i

function onLink(host: Host, track: (link: HTMLAnchorElement) => void): void {
  host.listen<MouseEvent>(document, 'click auxclick', (event) => {
    const link = closestOf<HTMLAnchorElement>(event, 'a[href]')
    // Middle clicks open links, right clicks do not.
    if (link && event.button < 2) track(link)
  })
}

/** `outbound_click` for links to another host. */
export function outboundLinks(): Plugin {
  return (host) =>
    onLink(host, (link) => {
      if (link.host && link.host !== location.host) host.track('outbound_click', { url: link.href, host: link.host })
    })
}

/** `file_download` for links to files: those with `download`, and those whose path ends like a file (`extensions` replaces the list). */
export function downloads({ extensions = FILES }: { extensions?: RegExp } = {}): Plugin {
  return (host) =>
    onLink(host, (link) => {
      if (link.hasAttribute('download') || extensions.test(link.pathname))
        host.track('file_download', { url: link.href, file: link.pathname.split('/').pop() })
    })
}
