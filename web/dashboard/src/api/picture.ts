/* A chart as a picture that needs nothing of this page: colours resolved, with title, days and legend. */
import { t } from '../messages'

const COLORS = ['fill', 'stroke', 'stop-color'] as const
const PLAIN = ['stroke-width', 'stroke-dasharray', 'stroke-linecap', 'stroke-linejoin', 'opacity', 'paint-order', 'font-size', 'font-weight', 'letter-spacing', 'text-anchor'] as const
/** What need not be said. */
const USUAL = new Set(['stroke-width 1px', 'stroke-dasharray none', 'stroke-linecap butt', 'stroke-linejoin miter', 'opacity 1', 'paint-order normal', 'letter-spacing normal', 'text-anchor start'])
const FONT = "Inter, system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
const EDGE = 24
const LINE = 22

export interface Picture {
  text: string
  width: number
  height: number
}

const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true })

/** A colour and how much of it there is, as the oldest programs read it: rgb(79, 70, 229) and 0.24. */
function resolved(color: string): [string, number] | undefined {
  if (!pixel || color === 'none' || color.startsWith('url')) return undefined
  pixel.clearRect(0, 0, 1, 1)
  pixel.fillStyle = color
  pixel.fillRect(0, 0, 1, 1)
  const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data
  return [`rgb(${red}, ${green}, ${blue})`, Math.round((alpha! / 255) * 1000) / 1000]
}

function dress(from: Element, to: Element): void {
  const style = getComputedStyle(from)
  for (const name of COLORS) {
    const value = style.getPropertyValue(name)
    const found = resolved(value)
    to.setAttribute(name, found ? found[0] : value)
    const opacity = name === 'stop-color' ? 'stop-opacity' : `${name}-opacity`
    const whole = (found?.[1] ?? 1) * Number(style.getPropertyValue(opacity) || 1)
    if (whole < 1) to.setAttribute(opacity, String(whole))
  }
  for (const name of PLAIN) {
    const value = style.getPropertyValue(name)
    if (value && !USUAL.has(`${name} ${value}`)) to.setAttribute(name, value)
  }
  for (const { name } of [...to.attributes]) if (name === 'class' || name === 'style' || name.startsWith('data-')) to.removeAttribute(name)
}

function element(name: string, attributes: Record<string, string | number>, text = ''): SVGElement {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  made.textContent = text
  return made
}

interface Entry { color: string; text: string; dashed: boolean }

/** What the colours mean, from the words beside the spots of colour. */
function legendOf(panel: Element): Entry[] {
  return [...panel.querySelectorAll<HTMLElement>('.dot, .key, .line')].flatMap((spot) => {
    if (spot.children.length || spot.closest('svg, .tip, .sr, header') || !spot.offsetWidth) return []
    const style = getComputedStyle(spot)
    const color = resolved(style.borderTopStyle === 'none' ? style.backgroundColor : style.borderTopColor)?.[0]
    const beside = spot.parentElement!
    const words = [...beside.childNodes].map((each) => each.textContent?.trim() ?? '').filter(Boolean).join('  ')
    return color && words ? [{ color, text: words, dashed: style.borderTopStyle === 'dashed' }] : []
  })
}

/** The picture of a chart on a panel. */
export function pictureOf(chart: SVGSVGElement, panel: Element, title: string, note: string): Picture {
  const { clientWidth: width, clientHeight: height } = chart
  const copy = chart.cloneNode(true) as SVGSVGElement
  const [before, after] = [chart, copy].map((each) => [each, ...each.querySelectorAll('*')])
  before!.forEach((each, place) => dress(each, after![place]!))
  const head = EDGE + LINE + (note ? LINE : 0) + 6
  Object.entries({ x: EDGE, y: head, width, height }).forEach(([name, value]) => copy.setAttribute(name, String(value)))

  const style = getComputedStyle(panel)
  const [text, muted] = [resolved(style.color)![0], resolved(getComputedStyle(document.documentElement).getPropertyValue('--text-3'))![0]]
  const legend = legendOf(panel)
  const whole = { width: Math.max(width, 320) + 2 * EDGE, height: head + height + (legend.length ? 10 + legend.length * LINE : 0) + EDGE }
  const drawn = element('svg', { ...whole, viewBox: `0 0 ${whole.width} ${whole.height}`, 'font-family': FONT, 'font-size': 13 })
  drawn.append(
    element('rect', { ...whole, fill: resolved(style.backgroundColor)![0] }),
    element('text', { x: EDGE, y: EDGE + 14, 'font-size': 15, 'font-weight': 600, fill: text }, title),
    ...(note ? [element('text', { x: EDGE, y: EDGE + 14 + LINE, fill: muted }, note)] : []),
    copy,
    ...legend.flatMap((entry, place) => {
      const y = head + height + 10 + place * LINE
      return [
        element('line', { x1: EDGE, x2: EDGE + 14, y1: y + 10, y2: y + 10, stroke: entry.color, 'stroke-width': 3, ...(entry.dashed && { 'stroke-dasharray': '4 3' }) }),
        element('text', { x: EDGE + 22, y: y + 14.5, fill: text }, entry.text),
      ]
    }),
  )
  return { text: new XMLSerializer().serializeToString(drawn).replace(/<!--.*?-->/gs, ''), ...whole }
}

/** Drawn as points, twice as many as on the page. The address of the data is one that the page's policy allows. */
export async function asPng({ text, width, height }: Picture): Promise<Blob> {
  const image = new Image()
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`
  await image.decode()
  const canvas = Object.assign(document.createElement('canvas'), { width: width * 2, height: height * 2 })
  canvas.getContext('2d')!.drawImage(image, 0, 0, canvas.width, canvas.height)
  return new Promise((done, failed) => canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error(t('The picture could not be drawn.')))), 'image/png'))
}
