/* Answers as files. */

/** Give a file to the person who looks: the browser asks where, or puts it among the downloads. */
export function save(name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  // The browser reads it after the click; a minute is long enough for it to have begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

export function saveJson(name: string, value: unknown): void {
  save(name, new Blob([`${JSON.stringify(value, null, 2)}\n`], { type: 'application/json' }))
}
