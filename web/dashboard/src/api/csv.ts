/* What a panel shows as a CSV file, in the form that the API gives its answers (docs/http-api.md). */

const FORMULA = /^[ \u00a0\ufeff\0]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/

/** A text that a spreadsheet could run gets an apostrophe before it, as in the server's files; numbers stay as they are. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const safe = FORMULA.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

type Row = Record<string, unknown>
const isRow = (value: unknown): value is Row => !!value && typeof value === 'object' && !Array.isArray(value)

/** Inner objects with dots before their names; lists of objects are tables of their own and are left out. */
function flat(value: Row, before = ''): Row {
  const plain = Object.entries(value).filter(([, inner]) => !(Array.isArray(inner) && inner.some(isRow)))
  return Object.assign({}, ...plain.map(([name, inner]) => (isRow(inner) ? flat(inner, `${before}${name}.`) : { [before + name]: inner }))) as Row
}

/** The longest list of objects in an answer; an answer without one is a row itself. */
function longest(value: unknown): Row[] {
  if (Array.isArray(value)) {
    const inner = value.map(longest).reduce((most, each) => (each.length > most.length ? each : most), [])
    return value.every(isRow) && value.length >= inner.length ? value : inner
  }
  return isRow(value) ? Object.values(value).map(longest).reduce((most, each) => (each.length > most.length ? each : most), []) : []
}

/** A line for each row of a list, or of the longest list in an answer, with a head that names the columns. */
export function asCsv(answer: unknown): string {
  const list = Array.isArray(answer) && answer.every(isRow) ? answer : longest(answer)
  const rows = (list.length ? list : isRow(answer) ? [answer] : []).map((row) => flat(row))
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  return [columns, ...rows.map((row) => columns.map((name) => row[name]))].map((line) => `${line.map(cell).join(',')}\r\n`).join('')
}
