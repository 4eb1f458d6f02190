import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { words } from '../src/format'
import { LANGUAGES, t } from '../src/messages'
import { findTexts, nothing, textsOf } from './texts'

const SRC = join(import.meta.dirname, '../src')
const { names, texts } = JSON.parse(readFileSync(join(SRC, '../api/words.json'), 'utf8')) as { names: string[]; texts: string[] }
const found = findTexts()
/** What is passed to t() as it stands in the source, and what the API may say. */
const wanted = new Set([...found.used, ...names.map(words), ...texts])
const files = readdirSync(join(SRC, 'messages')).filter((name) => name.endsWith('.json'))
const placeholders = (text: string) => text.split('|').map((form) => [...form.matchAll(/\{\w+\}/g)].map(String).sort().join())

describe('the sources', () => {
  it('show nothing that does not go through t()', () => {
    expect(found.raw).toEqual([])
  })

  it('are looked into wherever they can show something', () => {
    const code = `<script setup lang="ts">
      const title = computed(() => ({ label: open ? t('Open {n}', { n }) : 'shut', state: state === 'Not this' }))
      say(\`Nothing of \${name} is left.\`)
    </script>
    <template>
      <p title="Not told" :aria-label="wide ? 'wide' : t('Narrow')">Some <b>words</b> {{ figure(3, 'count') }} {{ \`\${n} left\` }}<code>not this</code></p>
    </template>`
    expect(textsOf('a.vue', code, nothing())).toEqual({
      used: new Set(['Open {n}', 'Narrow']),
      raw: ['shut', 'Nothing of', 'is left.', 'title="Not told"', 'wide', 'Some', 'words', 'left'].map((text) => `a.vue: ${text}`),
    })
  })

  it('get no sentence from the API that would be taken for forms or for values', () => {
    expect([...names, ...texts].filter((text) => /[|{}]/.test(text))).toEqual([])
  })

  it('have a language for each file', () => {
    expect(LANGUAGES).toEqual(['en', ...files.map((name) => name.slice(0, -5))])
  })
})

describe.each(files)('%s', (name) => {
  const messages = JSON.parse(readFileSync(join(SRC, 'messages', name), 'utf8')) as Record<string, string>
  const categories = new Intl.PluralRules(name.slice(0, -5)).resolvedOptions().pluralCategories.length

  it('has every text, and none that nobody uses', () => {
    expect(Object.keys(messages).sort()).toEqual([...wanted].sort())
  })

  it('puts in the same values', () => {
    for (const [text, message] of Object.entries(messages)) {
      const [theirs, ours] = [placeholders(message), placeholders(text)]
      expect(theirs.at(-1), text).toBe(ours.at(-1))
      for (const each of theirs) expect(ours, text).toContain(each)
    }
  })

  it('has a form for each number that the language tells apart, or one for all', () => {
    for (const [text, message] of Object.entries(messages)) expect([1, ...(text.includes('|') ? [categories] : [])], text).toContain(message.split('|').length)
  })
})

describe('a text', () => {
  it('has its values, numbers as they are written, and the form of its number', () => {
    expect(t('{n} event|{n} events', { n: 1 })).toBe('1 event')
    expect(t('{n} event|{n} events', { n: 1234 })).toBe('1,234 events')
    expect(t('Metric {name}.')).toBe('Metric {name}.')
    expect(t('{name}: {name}', { name: 'a' })).toBe('a: a')
  })
})
