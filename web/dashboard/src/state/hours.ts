/* One day by the hour. It is loaded when somebody looks at one. */
import type { Series } from '../charts/LineChart.vue'
import { moment } from '../format'
import { trend, type Asked, type Counted } from './trends'

const HOUR_MS = 3_600_000

export interface Hours {
  day: string
  metric: string
  series: Pick<Series, 'points'>[]
  /** When each hour of the day begins. */
  starts: number[]
}

/** The hours of a day, and of the one it is compared with; hours to come are left out. */
export async function hoursOf(metric: string, asked: Asked, before: Asked['days'] | null, counted: Counted, zone: string): Promise<Hours> {
  const bring = async (days: Asked['days']) => (await trend({ ...asked, days }, counted, { period: 'hourly' })).series[0]!.points.filter((point) => Date.parse(point.date) <= Date.now())
  const found = await Promise.all([asked.days, before].filter((days) => !!days).map(bring))
  return {
    day: asked.days.first,
    metric,
    starts: found[0]!.map((point) => Date.parse(point.date)),
    series: found.map((points, place) => ({
      points: points.map((point) => {
        const title = moment(point.date, zone)
        return { label: title.split(', ')[1]!, title, value: point.value, open: !place && point.state === 'open' && Date.now() - Date.parse(point.date) < HOUR_MS }
      }),
    })),
  }
}
