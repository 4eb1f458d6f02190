import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

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
    rollupOptions: {
      output: {
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
