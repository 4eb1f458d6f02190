import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [vue()],
  // The browser SDK is linked from this repository and would bring a Vue of its own.
  resolve: { dedupe: ['vue', 'vue-router'] },
})
