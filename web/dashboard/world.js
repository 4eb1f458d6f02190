/* Writes src/assets/world.json: outlines of countries by their two letters, from Natural Earth (public domain), simplified and
   projected beforehand so that the browser needs no code for it. States too small to see are dots. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

import { geoNaturalEarth1, geoPath } from 'd3-geo'
import { feature } from 'topojson-client'
import { presimplify, simplify } from 'topojson-simplify'

const require = createRequire(import.meta.url)
const { numericToAlpha2 } = require('i18n-iso-countries')
const WIDTH = 960
const HEIGHT = 460
const UNNUMBERED = { Kosovo: 'XK', 'N. Cyprus': 'CY', Somaliland: 'SO' }
const DOT_BELOW = 4
/** Square degrees of the smallest bend that stays. */
const LEAST_AREA = 0.3

const atlas = presimplify(JSON.parse(readFileSync(require.resolve('world-atlas/countries-50m.json'), 'utf8')))
const coarse = simplify(atlas, LEAST_AREA)
const shapes = feature(coarse, coarse.objects.countries).features.filter((each) => each.properties.name !== 'Antarctica')
const projection = geoNaturalEarth1().fitExtent([[2, 2], [WIDTH - 2, HEIGHT - 2]], { type: 'FeatureCollection', features: shapes })
const path = geoPath(projection).digits(1)
const full = new Map(feature(atlas, atlas.objects.countries).features.map((each) => [each.properties.name, each]))

const countries = {}
for (const shape of shapes) {
  const code = UNNUMBERED[shape.properties.name] ?? numericToAlpha2(shape.id)
  if (!code) continue
  const whole = full.get(shape.properties.name)
  // Islands that shrank to a point are left out.
  let line = (path(shape) ?? '').match(/M[^Z]*Z/g)?.filter((ring) => new Set(ring.slice(1, -1).split('L')).size > 2).join('') ?? ''
  if (path.area(whole) < DOT_BELOW) {
    const [x, y] = path.centroid(whole)
    line = `M${(x - 1.8).toFixed(1)},${y.toFixed(1)}a1.8,1.8 0 1,0 3.6,0a1.8,1.8 0 1,0 -3.6,0Z`
  }
  countries[code] = (countries[code] ?? '') + line
}
writeFileSync(new URL('src/assets/world.json', import.meta.url), JSON.stringify({ width: WIDTH, height: HEIGHT, countries }))
