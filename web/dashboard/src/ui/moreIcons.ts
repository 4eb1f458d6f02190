/* Drawn on a grid of 24: what only sheets and later pages have; the first load is the smaller for it. */
const box = (x: number, y: number, w: number, h: number) => `M${x} ${y}h${w}v${h}h${-w}z`

export const MORE = {
  close: 'M6 6l12 12M18 6 6 18',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  plus: 'M12 5v14M5 12h14',
  copy: `${box(8.5, 8.5, 12, 12)}M15.5 8.5v-5h-12v12h5`,
  replay: 'M4.5 12a7.5 7.5 0 1 0 2.3-5.4L4.5 9M4.5 4v5h5',
  pause: 'M8.5 5v14M15.5 5v14',
  play: 'M7 4.5l12 7.5-12 7.5z',
  trash: 'M4.5 7h15M9.5 7V4h5v3M6.5 7l1 13.5h9l1-13.5',
} as const
