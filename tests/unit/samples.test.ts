// The three sample datasets: shape, labels, CSV form, and that the committed files are what the generator writes.
import { readFileSync } from 'node:fs'
import Papa from 'papaparse'
import { describe, expect, it } from 'vitest'
import { SAMPLES } from '../../tools/samples/make.mjs'
import { INTENTS } from '../../tools/samples/support.mjs'

const bytes = (name: string): Buffer => readFileSync(new URL(`../../public/samples/${name}`, import.meta.url))

function table(name: string): { header: string[]; rows: string[][] } {
  const { data, errors } = Papa.parse<string[]>(bytes(name).toString('utf8').trimEnd(), { delimiter: ',' })
  expect(errors).toEqual([])
  const [header = [], ...rows] = data
  expect(
    rows.every((row) => row.length === header.length && row.every((cell) => cell.trim() === cell && cell)),
  ).toBe(true)
  return { header, rows }
}

const distinct = (values: string[]): number => new Set(values.map((value) => value.toLowerCase())).size
const words = (text: string): number => text.split(/\s+/).length
const column = (rows: string[][], index: number): string[] => rows.map((row) => row[index]!)

describe.each(Object.entries(SAMPLES))('%s', (name, make) => {
  it('is what the generator writes, to the byte, twice', () => {
    expect(Buffer.from(make(), 'utf8').equals(bytes(name))).toBe(true)
    expect(make()).toBe(make())
  })

  it('is UTF-8 without a byte order mark, with LF and a final line break', () => {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes(name))
    expect(text.startsWith('\uFEFF')).toBe(false)
    expect(text).not.toContain('\r')
    expect(text.endsWith('\n')).toBe(true)
    expect(text).not.toMatch(/[{}]|undefined|\bNaN\b/)
  })
})

describe('support.csv', () => {
  const { header, rows } = table('support.csv')
  const texts = column(rows, 0)

  it('has 600 distinct messages of 4 to 60 words', () => {
    expect(header).toEqual(['text', 'intent'])
    expect(rows).toHaveLength(600)
    expect(distinct(texts)).toBe(600)
    expect(Math.min(...texts.map(words))).toBeGreaterThanOrEqual(4)
    expect(Math.max(...texts.map(words))).toBeLessThanOrEqual(60)
  })

  it('has 6 intents of 80 to 125 rows', () => {
    const intents = column(rows, 1)
    expect(new Set(intents)).toEqual(new Set(INTENTS))
    expect(INTENTS).toHaveLength(6)
    for (const intent of INTENTS) {
      const count = intents.filter((value) => value === intent).length
      expect(count).toBeGreaterThanOrEqual(80)
      expect(count).toBeLessThanOrEqual(125)
    }
  })

  it('has cells with commas, quotes, line breaks and letters beyond ASCII', () => {
    for (const mark of [/,/, /"/, /\n/, /[^\0-\x7f]/])
      expect(texts.filter((text) => mark.test(text)).length).toBeGreaterThan(10)
  })

  it('names no address outside the example domains', () => {
    for (const address of texts.join('\n').match(/\S+@\S+/g) ?? [])
      expect(address).toMatch(/@example\.(com|org|net)/)
  })
})

describe('instructions.csv', () => {
  const { header, rows } = table('instructions.csv')

  it('has 300 distinct instructions with answers of 5 to 30 words', () => {
    expect(header).toEqual(['instruction', 'answer'])
    expect(rows).toHaveLength(300)
    expect(distinct(column(rows, 0))).toBe(300)
    for (const answer of column(rows, 1)) {
      expect(words(answer), answer).toBeGreaterThanOrEqual(5)
      expect(words(answer), answer).toBeLessThanOrEqual(30)
    }
  })
})

describe('products.csv', () => {
  const { header, rows } = table('products.csv')

  it('has 300 distinct products', () => {
    expect(header).toEqual(['facts', 'description'])
    expect(rows).toHaveLength(300)
    expect(distinct(column(rows, 0))).toBe(300)
    expect(distinct(column(rows, 1))).toBe(300)
    expect(distinct(column(rows, 0).map((facts) => facts.split(';')[0]!))).toBe(300)
  })

  it('uses every fact in the description', () => {
    for (const [facts, description] of rows as [string, string][]) {
      for (const fact of facts.split('; ')) {
        const [key, value] = fact.split(': ') as [string, string]
        const parts = key === 'name' ? [value.split(' ')[0]!, value.slice(value.indexOf(' ') + 1)] : [value]
        for (const part of parts) expect(description.toLowerCase(), facts).toContain(part.toLowerCase())
      }
      expect(description.split(/[.?!](?:\s|$)/).filter(Boolean).length, description).toBeLessThanOrEqual(2)
    }
  })
})
