// Personal data: 2,000 texts that a script plants (tools/golden/data/personal.py), and the look-alikes one by one.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { findPersonalData } from '../../../src/data/personal/find.ts'
import { PERSONAL_KINDS, type PersonalKind } from '../../../src/protocol/recipe.ts'

type Span = [type: PersonalKind, start: number, end: number]
const file = process.env.GRAFT_PERSONAL ?? new URL('../../golden/data/personal.json', import.meta.url)
const texts = JSON.parse(readFileSync(file, 'utf8')) as [text: string, spans: Span[]][]

/** A match counts where it is of the same type and covers four fifths of both. */
function same([type, start, end]: Span, match: { type: string; start: number; end: number }): boolean {
  const shared = Math.min(end, match.end) - Math.max(start, match.start)
  return type === match.type && shared >= 0.8 * Math.max(end - start, match.end - match.start)
}

describe('findPersonalData on planted texts', () => {
  const tally = Object.fromEntries(PERSONAL_KINDS.map((type) => [type, { right: 0, wrong: 0, missed: 0 }]))
  const faults: string[] = []
  for (const [text, spans] of texts) {
    const found = findPersonalData(text)
    for (const match of found)
      if (spans.some((span) => same(span, match))) tally[match.type]!.right++
      else {
        tally[match.type]!.wrong++
        faults.push(`wrong ${match.type} "${text.slice(match.start, match.end)}" in: ${text}`)
      }
    for (const span of spans)
      if (!found.some((match) => same(span, match))) {
        tally[span[0]]!.missed++
        faults.push(`missed ${span[0]} "${text.slice(span[1], span[2])}" in: ${text}`)
      }
  }
  if (process.env.GRAFT_PERSONAL) console.log(tally, faults.join('\n'))

  it('reads 2,000 texts, a quarter of them without any', () => {
    expect(texts).toHaveLength(2000)
    expect(texts.filter(([, spans]) => spans.length === 0)).toHaveLength(500)
  })
  it.each(PERSONAL_KINDS)('%s: precision and recall of at least 0.95', (type) => {
    const { right, wrong, missed } = tally[type]!
    expect(right).toBeGreaterThan(150)
    expect(right / (right + wrong)).toBeGreaterThanOrEqual(0.95)
    expect(right / (right + missed)).toBeGreaterThanOrEqual(0.95)
  })
})

const kindsOf = (text: string) => findPersonalData(text).map(({ type }) => type)

describe('findPersonalData, one by one', () => {
  it('finds several in one text, in order, without overlaps', () => {
    const text =
      'Mrs. Ada Byron, ada@example.org, +44 20 7946 0958, card 4111 1111 1111 1111, from 81.2.69.142'
    const found = findPersonalData(text)
    expect(found.map(({ start, end }) => text.slice(start, end))).toEqual([
      'Ada Byron',
      'ada@example.org',
      '+44 20 7946 0958',
      '4111 1111 1111 1111',
      '81.2.69.142',
    ])
    expect(findPersonalData(text, ['email']).map(({ type }) => type)).toEqual(['email'])
  })
  it.each([
    ['US', 'SSN 219-09-9999'],
    ['GB', 'QQ 12 34 56 C is not valid, AB123456C is'],
    ['DE', 'Steuer-ID 86095742719'],
    ['FR', '2 55 08 14 168 025 38'],
    ['ES', 'DNI 54362315K'],
    ['IT', 'RSSMRA85T10A562S'],
    ['NL', 'BSN 111222333'],
    ['IN', 'Aadhaar 2341 2341 2346'],
    ['BR', 'CPF 390.533.447-05'],
  ])('knows the identifiers of %s', (country, text) => {
    expect(findPersonalData(text)).toMatchObject([{ type: 'nationalId', country }])
  })
  it.each([
    'card 4111 1111 1111 1112',
    'DE89 3704 0044 0532 0130 01',
    'SSN 000-12-3456 or 666-12-3456',
    'DNI 54362315L',
    'version 10.0.19.41 at 127.0.0.1',
    'reached at 12:30:45, ratio 1:2:3, std::vector, a::b',
    'icon@2x.png and git@github.com:owner/repo and a@b',
    'Dr Pepper. Miss you. MRS of 12. Sunset Dr Apt 4',
    'ISBN 978-0-306-40615-7, 2024-05-12, 12.05.2024 10:30',
    'We sold 1,000,000 in 1999-2000 for 12345678',
  ])('takes nothing from "%s"', (text) => {
    expect(kindsOf(text)).toEqual([])
  })
  it('stays quick on long texts made against it', () => {
    const started = performance.now()
    const pieces = [
      '1 ',
      'a@',
      '0-',
      'Dr. ',
      'ab:',
      '1.',
      'DE12',
      '+1(',
      'A.',
      `+${'1'.repeat(40)} `,
      '+1 11111 11111 11111 11111 ',
      '<a ',
      'Mr A B ',
    ]
    for (const piece of pieces) findPersonalData(piece.repeat(20_000))
    expect(performance.now() - started).toBeLessThan(4000)
  })
})
