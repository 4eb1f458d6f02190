/* Builds the dashboard into the Python package, and a manifest that says of which sources and how large the first load is. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

import { build } from 'vite'

const here = fileURLToPath(new URL('.', import.meta.url))
const out = join(here, '../../src/analytics_api/show/static/dashboard')
const SOURCES = ['src', 'public', 'index.html', 'vite.config.ts', 'build.js', 'package.json']

function filesIn(path) {
  if (!statSync(path).isDirectory()) return [path]
  return readdirSync(path, { recursive: true })
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile())
}

/** Hash over names and contents; tests/house/test_web_assets.py computes that of the sources, too. */
function hashOf(folder, files) {
  const hash = createHash('sha256')
  for (const path of files.map((file) => relative(folder, file)).sort()) {
    hash.update(`${path}\0`)
    hash.update(readFileSync(join(folder, path)))
  }
  return hash.digest('hex')
}

await build({ root: here, logLevel: 'warn' })

const page = readFileSync(join(out, 'index.html'), 'utf8')
const first = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+\.js)"/g)].map(([, name]) => name)
const gzip = first.reduce((sum, name) => sum + gzipSync(readFileSync(join(out, name)), { level: 9 }).length, 0)
const manifest = {
  sources: hashOf(here, SOURCES.flatMap((name) => filesIn(join(here, name)))),
  version: hashOf(out, filesIn(out)).slice(0, 12),
  first_load: first.sort(),
  gzip,
}
writeFileSync(join(out, 'manifest.json'), JSON.stringify(manifest, null, 2) + '\n')
console.log(`dashboard: first load ${gzip} bytes of JavaScript with gzip (${first.length} files)`)
