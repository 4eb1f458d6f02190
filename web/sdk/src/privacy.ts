import type { Options, Properties } from './types.js'

/** The server's list (upper case and separators do not matter), and what no analytics needs. */
const FIELDS = 'email,name,fullname,firstname,lastname,phone,ip,ipaddress,useragent,password,secret,token,ssn'

/**
 * Values of telling parameters in queries and fragments; and anywhere e-mail addresses, JSON Web Tokens, international phone
 * numbers and payment cards.
 */
const PERSONAL =
  /([?&#;](?:[\w-]*(?:token|secret|passw|sessionid|key|sig|mail|phone|name)\w*|code|auth|otp|jwt)=)[^&#;]+|[\w.+-]+(?:@|%40)[\w-]+\.[\w.-]+|\beyJ[\w-]+\.[\w-]+\.[\w-]*|\+\d[\d ().-]{6,16}\d|\b\d{4}(?:[ -]?\d{4}){2}[ -]?\d{3,4}\b/gi

/** A text or URL without what tells who somebody is or lets somebody in. */
export function scrub(text: string): string {
  return text.replace(PERSONAL, (_, parameter = '') => `${parameter as string}[redacted]`)
}

export interface Filter {
  /** A copy without personal fields. Throws TypeError for what JSON cannot hold. */
  properties(value: object): Properties
  text(text: string): string
  url(url: string): string
}

export function createFilter({ piiTracking, piiKeys, urlFilter }: Options): Filter {
  const plain = (name: string) => name.toLowerCase().replace(/[\W_]/g, '')
  const personal = new Set(piiTracking ? [] : `${FIELDS},${String(piiKeys)}`.split(',').map(plain))
  const text = (value: string) => (piiTracking ? value : scrub(value))
  const url = (value: string) => (urlFilter ? urlFilter(text(value)) : text(value))
  const copy = (name: string, value: unknown) => {
    if (personal.has(plain(name))) return undefined
    return typeof value !== 'string' ? value : /^https?:/.test(value) ? url(value) : text(value)
  }
  return { properties: (value) => JSON.parse(JSON.stringify(value, copy)) as Properties, text, url }
}

/** Whether the browser says that its user wants no tracking, in a way that the options ask to respect. */
export function refusesTracking({ respectGpc, respectDnt }: Options): boolean {
  const said = navigator as Navigator & { globalPrivacyControl?: boolean; doNotTrack?: string | null }
  return !!(respectGpc && said.globalPrivacyControl) || !!(respectDnt && said.doNotTrack === '1')
}
