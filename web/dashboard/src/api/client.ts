/* Calls of the API, typed by its own description (schema.d.ts, made by `make web-types`). */
import { said, t } from '../messages'
import type { paths } from './schema'

export const PREFIX = '/api/v1/analytics'
const KEPT_MS = 15_000

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'
type With<M extends Method> = { [P in keyof paths]: paths[P][M] extends object ? P : never }[keyof paths]
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>
type Content<R> = R extends { content: { 'application/json': infer A } } ? A : undefined
type Answers<O> = O extends { responses: infer R } ? R : never
type Success = 200 | 201 | 202 | 204
export type Answer<P extends keyof paths, M extends Method = 'get'> = {
  [S in keyof Answers<Operation<P, M>>]: S extends Success ? Content<Answers<Operation<P, M>>[S]> : never
}[keyof Answers<Operation<P, M>>]

type Parameters<O, K extends string> = O extends { parameters: { [k in K]?: infer Q } } ? NonNullable<Q> : never
type Body<O> = O extends { requestBody?: infer B } ? (NonNullable<B> extends { content: { 'application/json': infer A } } ? A : never) : never
type Part<K extends string, T> = [T] extends [never] ? { [k in K]?: undefined } : object extends T ? { [k in K]?: T } : { [k in K]: T }
export type Given<P extends keyof paths, M extends Method> = Part<'query', Parameters<Operation<P, M>, 'query'>> &
  Part<'path', Parameters<Operation<P, M>, 'path'>> &
  Part<'body', Body<Operation<P, M>>>
type Loose = { query?: object; path?: object; body?: unknown }
type Args<P extends keyof paths, M extends Method> = object extends Given<P, M> ? [given?: Given<P, M>] : [given: Given<P, M>]

/** An answer that is an error: what the problem document says. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** The password is right, and a code is asked for besides. */
    readonly secondFactor = false,
  ) {
    super(said(message))
    this.lang = status && message === this.message ? 'en' : undefined
  }

  /** Of the sentence: the API speaks English. */
  readonly lang: string | undefined

  get offline(): boolean {
    return this.status === 0
  }
}

let token: string | null = null
let onUnauthorized: () => void = () => {}
const known = new Map<string, { at: number; answer: Promise<unknown> }>()

/** What writes are sent with; a login has one, this machine's sandbox has none. */
export function setToken(value: string | null): void {
  token = value
}

/** Called when the login has ended. */
export function whenUnauthorized(call: () => void): void {
  onUnauthorized = call
}

/** Answers are asked for anew. */
export function forget(): void {
  known.clear()
}

export function addressOf(path: string, given: Loose = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String((given.path as Record<string, unknown>)[name])))
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(given.query ?? {})) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null && each !== '') query.append(name, String(each))
    }
  }
  const text = query.toString()
  return `${PREFIX}${filled}${text && `?${text}`}`
}

/** The bare answer of a call. Throws a Problem unless it went well. */
export async function request(method: Method, path: string, given?: Loose): Promise<Response> {
  const headers: Record<string, string> = {}
  if (given?.body !== undefined) headers['Content-Type'] = 'application/json'
  if (token && method !== 'get') headers['X-CSRF-Token'] = token
  let response: Response
  try {
    response = await fetch(addressOf(path, given), {
      method: method.toUpperCase(),
      headers,
      body: given?.body === undefined ? null : JSON.stringify(given.body),
    })
  } catch {
    throw new Problem(0, t('The server cannot be reached.'))
  }
  if (response.ok) return response
  const problem = (await response.json().catch(() => ({}))) as { detail?: string; title?: string; second_factor?: boolean }
  if (response.status === 401 && !/^\/(auth|shares)\//.test(path)) onUnauthorized()
  throw new Problem(
    response.status,
    problem.detail ?? problem.title ?? t('The server answered {status}.', { status: response.status }),
    problem.second_factor,
  )
}

async function call<T>(method: Method, path: string, given?: Loose): Promise<T> {
  const response = await request(method, path, given)
  return (response.status === 204 ? undefined : await response.json()) as T
}

/** Ask once for what several panels show; answers are kept for some seconds. */
function kept<T>(key: string, ask: () => Promise<T>): Promise<T> {
  const found = known.get(key)
  if (found && Date.now() - found.at < KEPT_MS) return found.answer as Promise<T>
  const answer = ask()
  known.set(key, { at: Date.now(), answer })
  answer.catch(() => known.delete(key))
  return answer
}

export function get<P extends With<'get'>>(path: P, ...[given]: Args<P, 'get'>): Promise<Answer<P>> {
  return kept(addressOf(path, given as Loose), () => call('get', path, given as Loose))
}

/** A question that is too long for an address; it changes nothing. */
export function ask<P extends With<'post'>>(path: P, ...[given]: Args<P, 'post'>): Promise<Answer<P, 'post'>> {
  const loose = given as Loose
  return kept(`${addressOf(path, loose)} ${JSON.stringify(loose?.body)}`, () => call('post', path, loose))
}

function writer<M extends Exclude<Method, 'get'>>(method: M) {
  return async <P extends With<M>>(path: P, ...[given]: Args<P, M>): Promise<Answer<P, M>> => {
    const answer = await call<Answer<P, M>>(method, path, given as Loose)
    forget()
    return answer
  }
}

export const post = writer('post')
export const put = writer('put')
export const patch = writer('patch')
export const del = writer('delete')
