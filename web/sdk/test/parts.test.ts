// @vitest-environment node
import { build } from 'esbuild'
import { expect, test } from 'vitest'

/*
 * What a page that uses one part loads of the others, as its bundler sees it. Bundled as an application would be:
 * package.json says that no module has side effects, so whatever nobody uses is left out.
 */

const folder = new URL('../src/', import.meta.url).pathname
/** Bytes: links use a function of one line (`closestOf`, 180 bytes before minifying) of the module of elements. */
const FEW = 250
const PEERS = ['vue', 'vue-router', '@amplitude/analytics-browser', 'mixpanel-browser/*']

/** Modules of which bytes are in the bundle of `source`, by their path below src; and what it loads later, if ever. */
async function bundled(source: string) {
  const { metafile } = await build({
    stdin: { contents: source, resolveDir: folder },
    bundle: true,
    format: 'esm',
    write: false,
    metafile: true,
    external: PEERS,
    absWorkingDir: folder,
    outfile: 'out.js',
  })
  const output = metafile.outputs['out.js']!
  const modules = Object.entries(output.inputs).filter(([path, { bytesInOutput }]) => bytesInOutput > FEW && path !== '<stdin>')
  return { modules: modules.map(([path]) => path).sort(), imports: output.imports.map(({ kind, path }) => [kind, path]) }
}

const CORE = ['client.ts', 'delivery.ts', 'ids.ts', 'privacy.ts', 'store.ts']

test('the client alone has no part that is optional', async () => {
  const { modules, imports } = await bundled(`import { AnalyticsClient } from './index.ts'; new AnalyticsClient().track('a')`)
  expect(modules).toEqual(CORE)
  expect(imports).toEqual([])
})

test.each([
  ['pageViews', ['pages.ts']],
  ['autoTrack', ['auto/elements.ts', 'auto/forms.ts']],
  ['trackForm', ['auto/forms.ts']],
  ['outboundLinks', ['auto/links.ts']],
  ['downloads', ['auto/links.ts']],
  ['errors', ['auto/errors.ts']],
  ['webVitals', ['auto/vitals.ts']],
  ['fromEnv', ['env.ts']],
])('%s brings itself and nothing else', async (part, own) => {
  const { modules } = await bundled(`import { ${part} } from './index.ts'; globalThis.part = ${part}`)
  expect(modules.filter((path) => !CORE.includes(path))).toEqual(own)
})

test('the Vue plugin has no part that a page did not ask for', async () => {
  const { modules, imports } = await bundled(
    `import { createAnalytics } from './vue/index.ts'; globalThis.part = createAnalytics()`,
  )
  expect(modules).toEqual([...CORE, 'auto/elements.ts', 'auto/forms.ts', 'pages.ts', 'vue/index.ts'].sort())
  expect(new Set(imports.map(([, path]) => path))).toEqual(new Set(['vue']))
})

test.each([
  ['amplitude', '@amplitude/analytics-browser'],
  ['mixpanel', 'mixpanel-browser/src/loaders/loader-module-core'],
])("%s's package is loaded only when it is used", async (name, vendor) => {
  const { modules, imports } = await bundled(`export * from './forward/${name}.ts'`)
  expect(modules).toEqual([`forward/${name}.ts`, 'forward/mark.ts'].sort())
  expect(imports).toEqual([['dynamic-import', vendor]])
})
