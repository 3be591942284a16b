// The expression language: values, precedence, faults with their place, and patterns against JavaScript's own.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileCondition, compileExpression, compileTemplate } from '../../src/data/expression.ts'
import { compilePattern } from '../../src/data/expression/pattern.ts'
import { GraftError } from '../../src/protocol/errors.ts'

const columns = ['text', 'label', 'price', 'my column', 'and']
const cells = ['Hello, World 😀', 'card', '12.50', "it's", 'x']
const value = (source: string, row = cells) => compileExpression(source, columns)(row)
const failure = (work: () => unknown): GraftError => {
  try {
    work()
  } catch (error) {
    if (error instanceof GraftError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('values', () => {
  test.each([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['-2 * -3', 6],
    ['7 % 4 - 1', 2],
    ['price * 2', 25],
    ['price > 9', true],
    ['price > "9"', true],
    ['label = "card"', true],
    ["label = 'card' and price < 10", false],
    ['label = "cash" or not price < 10', true],
    ['not label = "card"', false],
    ['label in ("cash", "card")', true],
    ['label not in ("cash", "card")', false],
    ['text contains "World"', true],
    ['text not contains "World"', false],
    ['lower(text) contains "world"', true],
    ['contains(text, "world")', false],
    ['text startsWith "Hello" && text endsWith "😀"', true],
    ['length(text)', 14],
    ['words(text)', 3],
    ["[my column] = 'it''s'", true],
    ["\"my column\" = 'it\\'s'", true],
    ['[and] == "x"', true],
    ['LABEL = "card"', true],
    ['isEmpty("  ") and !isEmpty(text)', true],
    ['"a" + "b"', 'ab'],
    ['label + 1', 'card1'],
    ['if(price >= 10, "dear", "cheap")', 'dear'],
    ['upper(left(text, 2)) + right(text, 1)', 'HE😀'],
    ['round(price / 3, 2)', 4.17],
    ['text > 3', false],
    ['text <> 3', true],
    ['true and false', false],
    ['matches(text, "^hel")', false],
    ["text matches '(?i)^hel.*d\\b'", true],
    ['replace(label, "c", "$&")', '$&ard'],
    ['1 < 2 = true', false],
  ])('%s', (source, expected) => {
    if (source === '1 < 2 = true') expect(failure(() => value(source)).code).toBe('E_ARGUMENT')
    else expect(value(source)).toEqual(expected)
  })

  test('rows that are too short have empty cells', () => {
    expect(compileCondition('isEmpty(price) and label = ""', columns)(['a'])).toBe(true)
  })

  test('columns of any name', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string(), (name, cell) => {
        const source = `[${name.replaceAll(']', ']]')}]`
        expect(compileExpression(source, ['other', name === 'other' ? 'o' : name])(['', cell])).toBe(
          name === 'other' ? '' : cell,
        )
      }),
    )
  })

  test('any text in quotes is itself', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const source = `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
        expect(compileExpression(source, [])([])).toBe(text)
      }),
    )
  })
})

describe('faults name their place', () => {
  test.each([
    ['', 0],
    ['price >', 7],
    ['colour = 1', 0],
    ['price > 1 and [none] = 2', 14],
    ['price > 1 )', 10],
    ['(price > 1', 10],
    ['label = "card', 8],
    ['length(text, 2)', 0],
    ['price > 1 and shout(text)', 14],
    ['price # 2', 6],
    ['matches(text, label)', 0],
    ['label in "a"', 9],
  ])('%s', (source, at) => {
    const error = failure(() => value(source))
    expect(error.code).toBe('E_ARGUMENT')
    expect(error.details.at).toBe(at)
    expect(error.message).toContain(`character ${at + 1} `)
  })

  test('nesting and length are limited', () => {
    expect(failure(() => value('('.repeat(5000) + '1' + ')'.repeat(5000))).code).toBe('E_ARGUMENT')
    expect(failure(() => value('not '.repeat(2000) + '1')).code).toBe('E_ARGUMENT')
    expect(failure(() => value('1' + '+1'.repeat(10_000))).code).toBe('E_ARGUMENT')
  })

  test('nothing reaches JavaScript', () => {
    for (const source of ['constructor', '__proto__', 'toString()', 'globalThis', 'text.length', '`${1}`'])
      expect(failure(() => value(source)).code).toBe('E_ARGUMENT')
  })
})

describe('templates', () => {
  test('expressions in braces', () => {
    expect(compileTemplate('{label}: {upper([my column])} {{ok}} {"}"}', columns)(cells)).toBe(
      "card: IT'S {ok} }",
    )
    expect(failure(() => compileTemplate('a {label', columns)).details.at).toBe(2)
    expect(failure(() => compileTemplate('a } b', columns)).details.at).toBe(2)
  })
})

describe('patterns', () => {
  const patterns = [
    'a',
    'ab*',
    '^a',
    'b$',
    '^$',
    'a|b',
    '(a|b)+c',
    '[ab]c?',
    '[^a]',
    'a{2,3}b',
    '(ab){2}',
    'a.c',
    '\\bab',
    'b\\B',
    '\\d+',
    '(?:a|ab)(?:c|bcd)',
    '\\w+@\\w+',
    '(a*)*b',
    '(a|aa)+$',
    '\\s',
    '[\\w-]+',
    'a??b',
    '(?<n>a)b',
    '\\.',
    '\\p{L}',
    'a{0}b',
    '(|a)b',
    '^(a?){5}$',
    '\\u0061',
    '-',
    ']',
  ]
  test('agree with JavaScript', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', 'c', 'd', '1', '@', ' ', '.', '-', 'é', '😀', ']'),
      maxLength: 12,
    })
    for (const pattern of patterns) {
      const own = compilePattern(pattern)
      const reference = new RegExp(pattern === ']' ? '\\]' : pattern, 'u')
      fc.assert(
        fc.property(text, (sample) => {
          expect([pattern, sample, own(sample)]).toEqual([pattern, sample, reference.test(sample)])
        }),
        { numRuns: 60 },
      )
    }
  })

  test('hostile patterns run in no time', () => {
    const start = performance.now()
    for (const pattern of ['(a+)+$', '(a|a)*b', '(.*a){31}', 'a?'.repeat(50) + 'a'.repeat(50)])
      expect(compilePattern(`^${pattern}`)('a'.repeat(30) + '!'.repeat(20_000))).toBe(false)
    expect(performance.now() - start).toBeLessThan(2000)
  })

  test.each([
    '(?=a)',
    '(?<!a)b',
    '(a)\\1',
    '(',
    ')',
    '[a',
    'a{5,2}',
    '*a',
    'a**',
    '[z-a]',
    '((a{500}){500}){500}',
    'a{x}',
    '(?i:a)',
  ])('%s is refused', (pattern) => expect(failure(() => compilePattern(pattern)).code).toBe('E_ARGUMENT'))
})
