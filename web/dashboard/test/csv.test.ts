import { describe, expect, it } from 'vitest'

import { asCsv, cell } from '../src/api/csv'

describe('a cell', () => {
  it('runs nothing in a spreadsheet', () => {
    for (const text of ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', ' =1', '\u00a0=1', '＝1']) expect(cell(text).replace(/^"/, '')).toMatch(/^'/)
    expect(cell(-1)).toBe('-1')
    expect(cell('/a-b')).toBe('/a-b')
  })

  it('is quoted where RFC 4180 asks for it', () => {
    expect(cell('a,"b"')).toBe('"a,""b"""')
    expect(cell(null)).toBe('')
  })
})

describe('an answer', () => {
  it('gives its longest list, inner objects with dots', () => {
    const answer = { total: 3, series: [{ name: 'x', points: [{ date: '2026-01-01', value: 1, meta: { state: 'final' } }, { date: '2026-01-02', value: 2, note: '=A1' }] }] }
    expect(asCsv(answer)).toBe("date,value,meta.state,note\r\n2026-01-01,1,final,\r\n2026-01-02,2,,'=A1\r\n")
  })

  it('that is a list is that list', () => {
    expect(asCsv([{ value: 'DE', points: [{ value: 1 }, { value: 2 }] }])).toBe('value\r\nDE\r\n')
  })

  it('without a list is one row', () => {
    expect(asCsv({ active: 2, at: { day: '2026-01-01' } })).toBe('active,at.day\r\n2,2026-01-01\r\n')
    expect(asCsv([])).toBe('\r\n')
  })
})
