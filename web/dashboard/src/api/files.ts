/* What a panel is taken away as: its figures, and its chart as a picture. Loaded with the first click. */
import type { Component } from 'vue'

import { asCsv } from './csv'
import { save } from './save'

/** A panel's chart: what is drawn and larger than an icon or the line in a card. */
export const chartOf = (panel: Element): SVGSVGElement | undefined => [...panel.querySelectorAll('svg')].find((each) => each.clientWidth >= 150 && each.clientHeight >= 100)

export const fileName = (title: string, ending: string): string => `${title.toLowerCase().replace(/[^\p{L}\d]+/gu, '-')}.${ending}`

export function saveCsv(title: string, rows: unknown): void {
  save(fileName(title, 'csv'), new Blob([asCsv(rows)], { type: 'text/csv' }))
}

/** A menu where there is a choice; a panel without a chart gives its figures at once. */
export async function offer(panel: Element, title: string, rows: unknown): Promise<Component | undefined> {
  if (chartOf(panel)) return (await import('../ui/FileMenu.vue')).default
  saveCsv(title, rows)
  return undefined
}
