/** A UUID of version 7 (RFC 9562): its first 48 bits are the milliseconds since 1970, so ids sort by time. */
export function uuid7(now = Date.now()): string {
  const random = () => (crypto.getRandomValues(new Uint8Array(1))[0]! & 15).toString(16)
  const time = now.toString(16).padStart(12, '0').replace(/.{8}/, '$&-')
  return time + '-7xxx-8xxx-xxxxxxxxxxxx'.replace(/x/g, random)
}
