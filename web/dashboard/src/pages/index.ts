/* The pages, in the order of the sidebar. */
import type { Component } from 'vue'

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

export const GROUPS = ['Traffic', 'Product', 'Growth', 'Data'] as const

export const PAGES: Page[] = [
  { name: 'overview', path: 'overview', title: 'Overview', icon: 'overview', group: 'Traffic', ranged: true, compared: true, filtered: true, load: () => import('./Overview.vue') },
  { name: 'live', path: 'live', title: 'Live', icon: 'live', group: 'Traffic', load: () => import('./Live.vue') },
  { name: 'events', path: 'events', title: 'Events', icon: 'events', group: 'Traffic', load: () => import('./Events.vue') },
  { name: 'users', path: 'users', title: 'Users', icon: 'users', group: 'Traffic', ranged: true, load: () => import('./Users.vue') },
  { name: 'person', path: 'users/:id', title: 'User', load: () => import('./Person.vue') },
  { name: 'funnels', path: 'funnels', title: 'Funnels', icon: 'funnels', group: 'Product', ranged: true, filtered: true, load: () => import('./Funnels.vue') },
  { name: 'retention', path: 'retention', title: 'Retention', icon: 'retention', group: 'Product', ranged: true, filtered: true, load: () => import('./Retention.vue') },
  { name: 'journeys', path: 'journeys', title: 'Journeys', icon: 'journeys', group: 'Product', ranged: true, filtered: true, load: () => import('./Journeys.vue') },
  { name: 'experiments', path: 'experiments', title: 'Experiments', icon: 'experiments', group: 'Product', ranged: true, filtered: true, load: () => import('./Experiments.vue') },
  { name: 'actions', path: 'actions', title: 'Actions', icon: 'download', group: 'Product', ranged: true, filtered: true, load: () => import('./Actions.vue') },
  { name: 'revenue', path: 'revenue', title: 'Revenue', icon: 'revenue', group: 'Growth', ranged: true, compared: true, filtered: true, load: () => import('./Revenue.vue') },
  { name: 'goals', path: 'goals', title: 'Goals', icon: 'goals', group: 'Growth', load: () => import('./Goals.vue') },
  { name: 'traffic', path: 'traffic', title: 'API traffic', icon: 'traffic', group: 'Data', ranged: true, load: () => import('./Traffic.vue') },
  { name: 'destinations', path: 'destinations', title: 'Destinations', icon: 'destinations', group: 'Data', load: () => import('./Destinations.vue') },
  { name: 'quality', path: 'quality', title: 'Data quality', icon: 'quality', group: 'Data', load: () => import('./Quality.vue') },
  { name: 'alerts', path: 'alerts', title: 'Alerts', icon: 'alerts', group: 'Data', load: () => import('./Alerts.vue') },
  { name: 'settings', path: 'settings', title: 'Settings', icon: 'settings', load: () => import('./Settings.vue') },
]
