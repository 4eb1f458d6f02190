/* Who looks, and which projects they may see. */
import { computed, shallowRef } from 'vue'

import { get, Problem, setToken, type Answer } from '../api/client'

export type Session = Answer<'/auth/session'>

export const session = shallowRef<Session>()
export const projects = computed(() => session.value?.projects ?? [])

const BEEN = 'been-in'
/** Whether this browser was in and has not left: else a page that needs no login does not ask, and no refusal stands in the console. */
export const mayBeIn = () => localStorage.getItem(BEEN) !== null
export const forgetVisit = () => localStorage.removeItem(BEEN)

export function enter(found: Session): void {
  localStorage.setItem(BEEN, '1')
  session.value = found
  setToken(found.csrf_token ?? null)
}

/** The session, asked for once. Throws a Problem with 401 when nobody is logged in. */
export async function loadSession(): Promise<Session> {
  if (!session.value)
    enter(
      await get('/auth/session').catch((problem: unknown) => {
        if (problem instanceof Problem && problem.status === 401) forgetVisit()
        throw problem
      }),
    )
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
