import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

const sources = (names: string) => `/src/(${names.trim().replace(/\s+/g, '|')})\\.(ts|vue)$`
/** What every page needs, and what the overview needs besides: two files pack 10 % better than thirty. */
const BASE = new RegExp(`node_modules/(@?vue|vue-router)/|plugin-vue|preload-helper|${sources(`
  api/client format messages/index pages/index router state/session state/view ui/toasts`)}`)
const FRAME = new RegExp(`node_modules/d3-(array|path|shape)/|${sources(`
  charts/Donut charts/LineChart charts/linear charts/size pages/Overview
  state/answer state/filters state/metrics state/notes state/theme state/trends
  ui/Bars ui/Breakdown ui/Cards ui/FileButton ui/Icon ui/icons ui/LiveCount ui/Menu ui/Panel ui/ProjectMenu ui/RangeMenu ui/Shell`)}`)

/* Files keep their names: their addresses hold the version, and the history of the repository stays small. */
export default defineConfig({
  base: './',
  plugins: [vue({ features: { optionsAPI: false } })],
  define: { __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
  build: {
    outDir: '../../src/analytics_api/show/static/dashboard',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        codeSplitting: { groups: [{ name: 'base', test: BASE, priority: 2 }, { name: 'frame', test: FRAME, priority: 1 }] },
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
      },
    },
  },
  server: {
    port: 5173,
    proxy: { '/api': 'http://127.0.0.1:8000', '/sdk': 'http://127.0.0.1:8000' },
  },
  test: { environment: 'happy-dom', include: ['test/**/*.test.ts'] },
})
