/* Writes src/api/schema.d.ts: the types of api/openapi.json, and the hash of what they were made from. */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'

import openapi, { astToString } from 'openapi-typescript'

const source = new URL('api/openapi.json', import.meta.url)
const hash = createHash('sha256').update(readFileSync(source)).digest('hex')
const text = astToString(await openapi(source))
writeFileSync(new URL('src/api/schema.d.ts', import.meta.url), `/* Made by make web-types from api/openapi.json, sha256 ${hash} */\n\n${text}`)
