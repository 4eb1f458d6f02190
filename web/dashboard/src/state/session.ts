/* Who looks, and which projects they may see. */
import { computed, shallowRef } from 'vue'

import { get, setToken, type Answer } from '../api/client'

export type Session = Answer<'/auth/session'>

export const session = shallowRef<Session>()
export const projects = computed(() => session.value?.projects ?? [])

export function enter(found: Session): void {
  session.value = found
  setToken(found.csrf_token ?? null)
}

/** The session, asked for once. Throws a Problem with 401 when nobody is logged in. */
export async function loadSession(): Promise<Session> {
  if (!session.value) enter(await get('/auth/session'))
  return session.value!
}

/** Pages that a share link can show: those of figures alone. */
export const SHARED = ['overview', 'funnels', 'retention', 'journeys', 'revenue']
export const isShared = computed(() => session.value?.mode === 'share')

const roleIn = (project: string) => projects.value.find((each) => each.slug === project)?.role

/** Whether the user may change what the project watches and expects, and send events again. */
export const mayEdit = (project: string) => roleIn(project) === 'owner' || roleIn(project) === 'editor'
/** Whether the user may change members, keys and destinations. */
export const mayAdminister = (project: string) => roleIn(project) === 'owner'
