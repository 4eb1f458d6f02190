import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createApp, createSSRApp, defineComponent, h, nextTick, ref, withDirectives, type App } from 'vue'
import { renderToString } from 'vue/server-renderer'
import { createMemoryHistory, createRouter } from 'vue-router'

import { createAnalytics, useAnalytics, useFormTracking, vTrack, type VueOptions } from '../src/vue/index.js'
import { Collector } from './collector.js'

let collector: Collector
let app: App | undefined
const Page = defineComponent({ render: () => h('p') })

function start(setup: () => () => unknown, options: VueOptions = {}) {
  const analytics = createAnalytics({ host: 'http://collector.test', flushInterval: 1, ...options })
  app = createApp(defineComponent({ setup }))
  app.use(analytics)
  if (options.router) app.use(options.router)
  const root = document.body.appendChild(document.createElement('div'))
  app.mount(root)
  return { ...analytics, root }
}

beforeEach(() => {
  localStorage.clear()
  document.body.innerHTML = ''
  collector = new Collector().install()
})
afterEach(() => app?.unmount())

test('composables, directive and attributes', async () => {
  const { client, root } = start(
    () => {
      const { trackFeatureUsage, trackFormInteraction, trackDuration } = useAnalytics()
      trackFeatureUsage('image_generator', { action: 'click', source: 'main_page' })
      trackFormInteraction('generation_form', 'submit', { prompt_length: 12 })
      void trackDuration('generation', () => Promise.resolve(1))
      return () =>
        h('div', [
          withDirectives(h('button'), [[vTrack, { event: 'directed', properties: { n: 1 } }]]),
          h('a', { 'data-analytics-track': 'attributed', 'data-analytics-plan': 'pro' }, 'x'),
        ])
    },
    { pageViews: false },
  )
  root.querySelector('button')!.click()
  root.querySelector('a')!.click()
  await vi.waitFor(() => expect(collector.events.length).toBe(6))
  await client.flush()
  expect(collector.of('feature_used')[0]!.event_data).toEqual({
    feature_name: 'image_generator',
    action: 'click',
    source: 'main_page',
  })
  expect(collector.of('directed')[0]!.event_data).toEqual({ n: 1 })
  expect(collector.of('attributed')[0]!.event_data).toEqual({ plan: 'pro' })
  expect(collector.of('generation_completed')[0]!.event_data.duration_ms).toEqual(expect.any(Number))
  client.shutdown()
})

test('page views follow the router, once per path', async () => {
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', component: Page },
      { path: '/users/:id', name: 'user', component: Page, meta: { analyticsTitle: 'A user' } },
    ],
  })
  const { client } = start(() => () => h('div'), { router })
  await router.push('/')
  await vi.waitFor(() => expect(collector.of('page_view').length).toBe(1))
  await router.push('/users/7')
  await router.push('/users/7?tab=2')
  await vi.waitFor(() => expect(collector.of('page_view').length).toBe(2))
  await client.flush()
  expect(collector.of('page_view')[1]!.event_data).toMatchObject({ route: 'user', pattern: '/users/:id', title: 'A user' })
  client.shutdown()
})

test('a form of a component: fields and time, never values; abandoned when it is taken away', async () => {
  const { client, root } = start(
    () => {
      const form = ref<HTMLFormElement | null>(null)
      useFormTracking(form, 'contact')
      return () => h('form', { ref: form }, [h('input', { name: 'email', value: 'ada@example.com' })])
    },
    { pageViews: false, autoTrack: false },
  )
  root.querySelector('input')!.dispatchEvent(new FocusEvent('focusin', { bubbles: true }))
  app!.unmount()
  app = undefined
  await nextTick()
  await vi.waitFor(() => expect(collector.of('form_interaction').length).toBe(2))
  expect(collector.of('form_interaction').map((event) => event.event_data.action)).toEqual(['start', 'abandon'])
  expect(collector.bodies.join()).not.toContain('ada@')
  client.shutdown()
})

test('on a server nothing happens', async () => {
  vi.stubGlobal('document', undefined)
  const analytics = createAnalytics({ host: 'http://collector.test' })
  const server = createSSRApp(
    defineComponent({
      setup() {
        const { track, identify, page, client } = useAnalytics()
        track('rendered')
        identify('ada')
        page()
        client.optIn()
        return () => withDirectives(h('p', 'text'), [[vTrack, 'x']])
      },
    }),
  )
  server.use(analytics)
  expect(await renderToString(server)).toBe('<p>text</p>')
  await analytics.client.flush()
  expect(collector.bodies).toEqual([])
  vi.unstubAllGlobals()
})
