import { nice } from 'd3-array'

export interface Scale {
  (value: number): number
  domain: [number, number]
}

/** From figures to pixels; the ends become round figures. */
export function linear(low: number, high: number, from: number, to: number): Scale {
  const domain = nice(low, high, 4)
  const scale = (value: number) => from + ((value - domain[0]) / (domain[1] - domain[0] || 1)) * (to - from)
  return Object.assign(scale, { domain })
}
