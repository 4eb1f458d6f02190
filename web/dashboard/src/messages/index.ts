/* Texts in the chosen language. English texts are the keys, so English needs no file; another language is one file here, named by its code. */
type Messages = Record<string, string>
const FILES = import.meta.glob<Messages>('./*.json', { import: 'default' })
const KEPT = 'language'

/** Codes of the languages that there are. */
export const LANGUAGES = ['en', ...Object.keys(FILES).map((path) => path.slice(2, -5))]

/** What was chosen here before, or the first of the browser's languages that there is. */
function wanted(): string {
  const asked = [...navigator.languages]
  try {
    asked.unshift(localStorage.getItem(KEPT) ?? '')
  } catch {
    /* Storage is blocked: the browser's language it is. */
  }
  return asked.map((each) => each.slice(0, 2)).find((each) => LANGUAGES.includes(each)) ?? 'en'
}

// Whatever imports this waits for the texts, so nothing is ever painted in another language, and texts can be constants.
const code = wanted()
const texts = await FILES[`./${code}.json`]?.().catch(() => undefined)
/** The language of all that is shown: English where the texts could not be loaded. */
export const language = texts ? code : 'en'
document.documentElement.lang = language

/** Show everything in another language, here and whenever this browser comes again. */
export function choose(code: string): void {
  localStorage.setItem(KEPT, code)
  location.reload()
}

const numbers = new Intl.NumberFormat(language)
const rules = new Intl.PluralRules(language)
const forms = ['zero', 'one', 'two', 'few', 'many', 'other'].filter((each) => rules.resolvedOptions().pluralCategories.includes(each as Intl.LDMLPluralRule))

/** A sentence of the API in the chosen language, if it is one that is known. */
export const said = (text: string): string => texts?.[text] ?? text

/** A text in the chosen language, with values put in. Forms by number stand side by side, `{n} event|{n} events`, and `n` chooses. */
export function t(text: string, given: Record<string, string | number> = {}): string {
  const [first, ...more] = (texts?.[text] ?? text).split('|')
  const form = more[forms.indexOf(rules.select(Number(given.n))) - 1] ?? first!
  return form.replace(/\{(\w+)\}/g, (all, name: string) => {
    const value = given[name]
    return typeof value === 'number' ? numbers.format(value) : (value ?? all)
  })
}
