/* The pages, in the order of the sidebar. */
import type { Component } from 'vue'

import { t } from '../messages'
import type { ICONS } from '../ui/icons'

export interface Page {
  name: string
  path: string
  title: string
  icon?: keyof typeof ICONS
  group?: string
  /** Whether the range of days says what is shown. */
  ranged?: boolean
  /** Whether figures stand beside those of the days before. */
  compared?: boolean
  /** Whether filters narrow what is shown. */
  filtered?: boolean
  load: () => Promise<Component>
}

export const GROUPS = [t('Traffic'), t('Product'), t('Growth'), t('Data')] as const

export const PAGES: Page[] = [
  { name: 'overview', path: 'overview', title: t('Overview'), icon: 'overview', group: t('Traffic'), ranged: true, compared: true, filtered: true, load: () => import('./Overview.vue') },
  { name: 'live', path: 'live', title: t('Live'), icon: 'live', group: t('Traffic'), load: () => import('./Live.vue') },
  { name: 'events', path: 'events', title: t('Events'), icon: 'events', group: t('Traffic'), load: () => import('./Events.vue') },
  { name: 'users', path: 'users', title: t('Users'), icon: 'users', group: t('Traffic'), ranged: true, load: () => import('./Users.vue') },
  { name: 'person', path: 'users/:id', title: t('User'), load: () => import('./Person.vue') },
  { name: 'funnels', path: 'funnels', title: t('Funnels'), icon: 'funnels', group: t('Product'), ranged: true, filtered: true, load: () => import('./Funnels.vue') },
  { name: 'retention', path: 'retention', title: t('Retention'), icon: 'retention', group: t('Product'), ranged: true, filtered: true, load: () => import('./Retention.vue') },
  { name: 'journeys', path: 'journeys', title: t('Journeys'), icon: 'journeys', group: t('Product'), ranged: true, filtered: true, load: () => import('./Journeys.vue') },
  { name: 'experiments', path: 'experiments', title: t('Experiments'), icon: 'experiments', group: t('Product'), ranged: true, filtered: true, load: () => import('./Experiments.vue') },
  { name: 'actions', path: 'actions', title: t('Actions'), icon: 'download', group: t('Product'), ranged: true, filtered: true, load: () => import('./Actions.vue') },
  { name: 'revenue', path: 'revenue', title: t('Revenue'), icon: 'revenue', group: t('Growth'), ranged: true, compared: true, filtered: true, load: () => import('./Revenue.vue') },
  { name: 'goals', path: 'goals', title: t('Goals'), icon: 'goals', group: t('Growth'), load: () => import('./Goals.vue') },
  { name: 'traffic', path: 'traffic', title: t('API traffic'), icon: 'traffic', group: t('Data'), ranged: true, load: () => import('./Traffic.vue') },
  { name: 'destinations', path: 'destinations', title: t('Destinations'), icon: 'destinations', group: t('Data'), load: () => import('./Destinations.vue') },
  { name: 'quality', path: 'quality', title: t('Data quality'), icon: 'quality', group: t('Data'), load: () => import('./Quality.vue') },
  { name: 'alerts', path: 'alerts', title: t('Alerts'), icon: 'alerts', group: t('Data'), load: () => import('./Alerts.vue') },
  { name: 'settings', path: 'settings', title: t('Settings'), icon: 'settings', load: () => import('./Settings.vue') },
]
