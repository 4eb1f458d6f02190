import { downloads, errors, fromEnv, outboundLinks, webVitals } from 'analytics-api-browser'
import { createAnalytics } from 'analytics-api-browser/vue'
import { createApp } from 'vue'
import { createRouter, createWebHistory } from 'vue-router'

import App from './App.vue'
import type { ShopEvents } from './events'
import HomePage from './pages/HomePage.vue'

const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/', name: 'home', component: HomePage },
    { path: '/prints/:id', name: 'print', component: () => import('./pages/PrintPage.vue') },
    {
      path: '/contact',
      name: 'contact',
      component: () => import('./pages/ContactPage.vue'),
      meta: { analyticsTitle: 'Contact' },
    },
  ],
})

const app = createApp(App)
// Else Vue only logs the errors of handlers, and errors() does not hear of them.
app.config.throwUnhandledErrorInProduction = true
app
  .use(router)
  .use(
    createAnalytics<ShopEvents>({
      ...fromEnv(import.meta.env),
      router,
      // Until the visitor has answered the banner nothing is sent and nothing is stored.
      consent: 'pending',
      plugins: [outboundLinks(), downloads(), errors(), webVitals()],
    }),
  )
  .mount('#app')
