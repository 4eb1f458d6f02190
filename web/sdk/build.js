/* Builds the script for script tags into the Python package: plain, gzip, Brotli, and a manifest that says of which sources. */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

import { build } from 'vite'

const here = fileURLToPath(new URL('.', import.meta.url))
const out = join(here, '../../src/analytics_api/show/static/browser')

/** Hash over names and contents of all that the script is made of; tests/house/test_web_assets.py computes the same. */
function hashOfSources() {
  const files = readdirSync(join(here, 'src'), { recursive: true })
    .map((name) => join(here, 'src', name))
    .filter((path) => statSync(path).isFile())
  files.push(join(here, 'build.js'))
  const hash = createHash('sha256')
  for (const path of files.map((file) => relative(here, file)).sort()) {
    hash.update(`${path}\0`)
    hash.update(readFileSync(join(here, path)))
  }
  return hash.digest('hex')
}

const results = await build({
  root: here,
  configFile: false,
  logLevel: 'warn',
  build: {
    write: false,
    target: 'es2022',
    minify: 'oxc',
    lib: { entry: join(here, 'src/script.ts'), formats: ['iife'], name: 'script' },
  },
})
const code = Buffer.from(results[0].output[0].code.trim() + '\n')
const gzip = gzipSync(code, { level: 9 })
const brotli = brotliCompressSync(code, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: code.length } })
const manifest = {
  sources: hashOfSources(),
  integrity: `sha384-${createHash('sha384').update(code).digest('base64')}`,
  bytes: code.length,
  gzip: gzip.length,
  brotli: brotli.length,
}
mkdirSync(out, { recursive: true })
writeFileSync(join(out, 'script.js'), code)
writeFileSync(join(out, 'script.js.gz'), gzip)
writeFileSync(join(out, 'script.js.br'), brotli)
writeFileSync(join(out, 'manifest.json'), JSON.stringify(manifest, null, 2) + '\n')
console.log(`script tag: ${code.length} bytes, ${gzip.length} gzip, ${brotli.length} Brotli`)
