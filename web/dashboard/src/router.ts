import { createRouter, createWebHistory } from 'vue-router'

import { Problem, whenUnauthorized } from './api/client'
import { t } from './messages'
import { PAGES } from './pages'
import { loadSession } from './state/session'
import { learnZone } from './state/view'

export const router = createRouter({
  history: createWebHistory('/dashboard/'),
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? undefined : { top: 0 }),
  routes: [
    { path: '/', name: 'entrance', component: () => import('./pages/Nothing.vue'), beforeEnter: entrance },
    {
      path: '/p/:project',
      component: () => import('./ui/Shell.vue'),
      children: [
        { path: '', redirect: (to) => ({ name: 'overview', params: to.params, query: to.query }) },
        ...PAGES.map((page) => ({ path: page.path, name: page.name, component: page.load, meta: { title: page.title } })),
      ],
    },
    { path: '/login', name: 'login', component: () => import('./pages/Login.vue'), meta: { title: t('Sign in') } },
    { path: '/invitation', name: 'invitation', component: () => import('./pages/Invitation.vue'), meta: { title: t('Invitation') } },
    { path: '/share', name: 'share', component: () => import('./pages/Share.vue'), meta: { title: t('A shared view') } },
    { path: '/:rest(.*)*', redirect: '/' },
  ],
})

async function entrance() {
  const projects = await loadSession().then((found) => found.projects, () => null)
  if (!projects) return { name: 'login' }
  const last = localStorage.getItem('project')
  const project = projects.find((each) => each.slug === last) ?? projects[0]
  return project ? { name: 'overview', params: { project: project.slug } } : true
}

router.beforeEach(async (to) => {
  const project = to.params.project
  if (typeof project !== 'string') return true
  try {
    await Promise.all([loadSession(), learnZone(project)])
  } catch (problem) {
    if (problem instanceof Problem && problem.status === 401) return { name: 'login', query: { next: `/dashboard${to.fullPath}` } }
    if (problem instanceof Problem && (problem.status === 404 || problem.status === 403)) return '/'
    if (!(problem instanceof Problem && problem.offline)) throw problem
  }
  localStorage.setItem('project', project)
  return true
})

router.afterEach((to) => {
  document.title = to.meta.title ? [to.meta.title, to.params.project, 'Analytics'].filter(Boolean).join(' · ') : 'Analytics'
})

// After an update of the server the files of an open page are gone: load the new ones.
router.onError((error, to) => {
  if (/dynamically imported module|preload/i.test(String(error))) location.assign(router.resolve(to).href)
  else throw error
})

whenUnauthorized(() => location.reload())
