// Rows that a model writes, without the model: prompts, the reading of answers, the choice of examples, and the judging.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import Papa from 'papaparse'
import { describe, expect, it } from 'vitest'
import { Judge } from '../../../src/data/augment/written/judge.ts'
import { labelModel } from '../../../src/data/augment/written/labelModel.ts'
import { Pool, POOL_ROWS } from '../../../src/data/augment/written/pool.ts'
import { readAnswer, writePrompt, type Candidate } from '../../../src/data/augment/written/prompt.ts'
import { writeSettings } from '../../../src/data/augment/written/settings.ts'
import {
  cellsOf,
  columnsOf,
  rowReader,
  shapeOf,
  type WrittenRow,
} from '../../../src/data/augment/written/shape.ts'
import type { TaskConfig } from '../../../src/protocol/data.ts'
import type { WriteRowsRequest } from '../../../src/protocol/written.ts'

const classify: TaskConfig = { task: 'classify', columns: { text: 'message', label: 'intent' } }
const instruct: TaskConfig = {
  task: 'instruct',
  columns: { prompt: 'q', completion: 'a', input: 'about', system: 'sys' },
}
const labelled = shapeOf(classify, ['intent', 'message'])
const asked = shapeOf(instruct, ['q', 'a', 'about', 'sys'])
const row = (text: string, label: string | null = 'refund_request'): WrittenRow => ({
  parts: [text],
  label,
  system: '',
})

describe('the shape of a row', () => {
  it('follows the task, in the order of its columns', () => {
    expect(columnsOf(labelled)).toEqual(['message', 'intent'])
    expect(rowReader(labelled, ['intent', 'message'])(['x', ' hello '])).toEqual({
      parts: ['hello'],
      label: 'x',
      system: '',
    })
    expect(rowReader(labelled, ['intent', 'message'])(['', 'hello'])).toBeNull()
    expect(columnsOf(asked)).toEqual(['q', 'about', 'a', 'sys'])
    const read = rowReader(asked, ['q', 'a', 'about', 'sys'])
    const pair = read(['Why?', 'Because.', '', 'Be short.'])!
    expect(pair).toEqual({ parts: ['Why?', '', 'Because.'], label: null, system: 'Be short.' })
    expect(cellsOf(asked, pair)).toEqual(['Why?', '', 'Because.', 'Be short.'])
    expect(read(['Why?', '', 'x', ''])).toBeNull()
    expect(columnsOf(shapeOf({ task: 'complete', columns: { text: 't' } }, ['t']))).toEqual(['t'])
  })

  it('is refused for conversations and for columns that are not there', () => {
    expect(() => shapeOf({ task: 'chat', columns: { messages: 'm' } }, ['m'])).toThrow(
      expect.objectContaining({
        code: 'E_DATASET',
        message: expect.stringContaining('Conversations') as string,
      }),
    )
    expect(() => shapeOf(classify, ['text'])).toThrow(expect.objectContaining({ code: 'E_DATASET' }))
  })
})

describe('a prompt', () => {
  it('shows single lines as a list that goes on', () => {
    const { text, stop } = writePrompt('list', labelled, [row('Money back'), row('Pay\nme')], 5, false)
    expect(text).toBe('Texts of the kind "refund request":\n\n- Money back\n- Pay me\n-')
    expect(stop).toEqual(['\n\n'])
  })

  it('shows texts of several lines, and pairs, as blocks', () => {
    const { text } = writePrompt('list', labelled, [row('One\nTwo', null), row('Three', null)], 5, true)
    expect(text).toBe('Texts:\n---\nOne\nTwo\n---\nThree\n---\n')
    const pair = { parts: ['Why?', '', 'So.'], label: null, system: '' }
    expect(writePrompt('list', asked, [pair, { ...pair, parts: ['Sum', '1 2', '3'] }], 5, true).text).toBe(
      'Examples:\n---\nPrompt: Why?\nAnswer: So.\n---\nPrompt: Sum\nInput: 1 2\nAnswer: 3\n---\nPrompt:',
    )
  })

  it('asks for more in a message', () => {
    const { text } = writePrompt('chat', labelled, [row('Money back')], 5, false)
    expect(text).toContain('- Money back')
    expect(text).toContain('Write 5 new ones of the same kind')
  })
})

describe('an answer', () => {
  const list = writePrompt('list', labelled, [row('Money back')], 5, false)
  const chat = writePrompt('chat', labelled, [row('Money back')], 5, false)
  const blocks = writePrompt('list', labelled, [row('One\nTwo')], 5, true)
  const pairs = writePrompt('list', asked, [{ parts: ['Why?', '', 'So.'], label: null, system: '' }], 5, true)
  const texts = (found: Candidate[]) => found.map(({ text, complete }) => `${complete ? '' : '~'}${text}`)

  it('is cut at the separator, and its last row is whole only where it ended', () => {
    expect(texts(readAnswer(list, labelled, ' First\n- Second\n- Thi', false))).toEqual([
      'First',
      'Second',
      '~Thi',
    ])
    expect(texts(readAnswer(list, labelled, ' First\n- Second', true))).toEqual(['First', 'Second'])
    expect(texts(readAnswer(list, labelled, ' First\n- Second\n-', false))).toEqual(['First', 'Second'])
    // The model left the list: what it wrote before stays.
    expect(texts(readAnswer(list, labelled, ' First\nHere are more:\n- Second', false))).toEqual(['First'])
    expect(texts(readAnswer(list, labelled, '', true))).toEqual([''])
    expect(texts(readAnswer(blocks, labelled, 'A\nB\n---\nC\n', false))).toEqual(['A\nB', '~C'])
    expect(texts(readAnswer(blocks, labelled, 'A\nB\n---\n', false))).toEqual(['A\nB'])
  })

  it('is freed of the marks of lists and quotations', () => {
    const answer = 'Sure! Here they are:\n1. "First one"\n2. Second "one"\n* Third'
    expect(texts(readAnswer(chat, labelled, answer, true))).toEqual(['First one', 'Second "one"', 'Third'])
    expect(texts(readAnswer(chat, labelled, 'First\n\nSecond', false))).toEqual(['First', '~Second'])
    expect(texts(readAnswer(chat, labelled, '- First\n- Second\nThat was all', false))).toEqual([
      'First',
      'Second',
    ])
  })

  it('of pairs needs all parts that are not optional', () => {
    const answer = ' How?\nAnswer: Like\nthis.\n---\nPrompt: Sum\nInput: 1\nAnswer: 1\n---\nPrompt: Lost\n'
    expect(readAnswer(pairs, asked, answer, true).map(({ parts }) => parts)).toEqual([
      ['How?', '', 'Like\nthis.'],
      ['Sum', '1', '1'],
      null,
    ])
  })

  it('gives back any rows that were written in the form of the prompt', () => {
    const line = fc.stringMatching(/^[A-Za-z][A-Za-z ,.?]{0,30}[A-Za-z.]$/)
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), (lines) => {
        expect(texts(readAnswer(list, labelled, ` ${lines.join('\n- ')}`, true))).toEqual(lines)
      }),
      { numRuns: 50 },
    )
  })
})

describe('examples', () => {
  it('are drawn by the seed, of each class apart, whatever the other rows are', () => {
    const fill = (seed: number, others: number) => {
      const pool = new Pool(seed)
      for (let i = 0; i < 40; i++) pool.add(row(`text ${i}`), i)
      for (let i = 0; i < others; i++) pool.add(row(`other ${i}`, 'x'), 1000 + i)
      return pool
    }
    const drawn = (pool: Pool, answer: number) => pool.examples('refund_request', 4, answer)
    expect(drawn(fill(1, 0), 0)).toEqual(drawn(fill(1, 9), 0))
    expect(new Set(drawn(fill(1, 0), 0)).size).toBe(4)
    expect(drawn(fill(1, 0), 0)).not.toEqual(drawn(fill(1, 0), 1))
    expect(drawn(fill(1, 0), 0)).not.toEqual(drawn(fill(2, 0), 0))
    expect(fill(1, 0).seedOf('a', 0)).not.toBe(fill(1, 0).seedOf('b', 0))
  })

  it('come from a bounded pool, while every row counts for the lengths', () => {
    const pool = new Pool(7)
    for (let i = 1; i <= 1001; i++) pool.add(row('x'.repeat(i)), i)
    expect(pool.examples('refund_request', 2000, 0)).toHaveLength(POOL_ROWS)
    expect(pool.lengths('refund_request', [0.05, 0.95])).toEqual([51, 951])
    expect(pool.lengths('refund_request', [0, 1])).toEqual([1, 1001])
    expect(pool.severalLines('refund_request')).toBe(false)
    for (let i = 0; i < 9; i++) pool.add(row(i < 5 ? 'two\nlines' : 'one', 'letter'), i)
    expect(pool.severalLines('letter')).toBe(true)
  })
})

describe('the label model', () => {
  const rows = Papa.parse<{ text: string; intent: string }>(
    readFileSync(new URL('../../../public/samples/support.csv', import.meta.url), 'utf8').trim(),
    { header: true },
  ).data
  const learnt = async (of: typeof rows) => {
    const pool = new Pool(42)
    for (const [id, { text, intent }] of of.entries()) pool.add(row(text, intent), id)
    return labelModel(pool, 42, () => Promise.resolve())
  }

  it('tells rows of a label from those of others, of rows that it has not seen', async () => {
    const model = (await learnt(rows.slice(0, 480)))!
    const held = rows.slice(480)
    const own = held.filter(({ text, intent }) => model.fits(text, intent)).length
    const other = held.filter(({ text, intent }) =>
      model.fits(text, intent === 'cancellation' ? 'refund_request' : 'cancellation'),
    ).length
    expect(own / held.length).toBeGreaterThan(0.8)
    expect(other / held.length).toBeLessThan(0.1)
    expect(model.fits('whatever', 'a label without rows')).toBe(true)
  })

  it('says nothing of one class, or of classes with few rows', async () => {
    expect(await learnt(rows.filter(({ intent }) => intent === 'cancellation'))).toBeNull()
    expect(await learnt(rows.slice(0, 30))).toBeNull()
  })
})

describe('the judge', () => {
  const candidate = (text: string, more: Partial<Candidate> = {}): Candidate => ({
    text,
    parts: [text],
    complete: true,
    ...more,
  })
  const given = { label: 'refund_request', system: '' }
  const shown = [row('I would like my money back for the broken lamp')]
  const judged = async (candidates: Candidate[], there: string[] = []) => {
    const judge = new Judge(0.5)
    for (const one of candidates) judge.offer(one, given, [5, 60], shown)
    await judge.settle(
      (async function* () {
        yield there.map((text) => row(text))
        yield [null]
      })(),
    )
    return {
      accepted: judge.accepted.map(({ parts }) => parts[0]),
      refused: Object.fromEntries(judge.refused.map(({ reason, count }) => [reason, count])),
    }
  }

  it('says why a row is refused', async () => {
    const there = [
      'Where is the parcel that I ordered last week from you',
      'My card was charged twice for the same order again',
    ]
    const found = await judged(
      [
        candidate(''),
        candidate('cut off here', { complete: false }),
        candidate('no answer', { parts: null }),
        candidate('tiny'),
        candidate('x'.repeat(61)),
        candidate('i would like my MONEY back  for the broken lamp'),
        candidate('I would like my money back for the broken chair'),
        candidate('where is the parcel that I ordered last week from you'),
        candidate('My card was charged twice for the same order today'),
        candidate('Please tell me how to send it back'),
        candidate('Please tell me how to send it back now'),
      ],
      there,
    )
    expect(found.accepted).toEqual(['Please tell me how to send it back'])
    expect(found.refused).toEqual({
      empty: 1,
      unfinished: 1,
      broken: 1,
      short: 1,
      long: 1,
      copy: 2,
      near: 2,
      repeated: 1,
    })
  })

  it('compares exactly as Jaccard similarity of all pairs does', async () => {
    const word = fc.constantFrom('a', 'b', 'c', 'd')
    const text = fc.array(word, { minLength: 3, maxLength: 9 }).map((words) => words.join(' '))
    await fc.assert(
      fc.asyncProperty(text, fc.array(text, { maxLength: 12 }), async (one, there) => {
        const grams = (of: string) =>
          new Set(
            of
              .split(' ')
              .slice(2)
              .map((_, i) =>
                of
                  .split(' ')
                  .slice(i, i + 3)
                  .join(' '),
              ),
          )
        const alike = there.some((other) => {
          const [a, b] = [grams(one), grams(other)]
          const both = [...a].filter((gram) => b.has(gram)).length
          return one === other || both / (a.size + b.size - both) >= 0.5
        })
        const { accepted } = await judged([candidate(one)], there)
        expect(accepted).toEqual(alike ? [] : [one])
      }),
      { numRuns: 200 },
    )
  })
})

it.each<[string, Partial<WriteRowsRequest>]>([
  ['count', { count: 0 }],
  ['examples', { examples: 33 }],
  ['seed', { seed: -1 }],
  ['tries', { tries: 1.5 }],
  ['threshold', { threshold: 0.1 }],
  ['lengths', { lengths: [0.9, 0.1] }],
  ['labels', { labels: [] }],
  ['form', { form: 'poem' as 'list' }],
  ['checkLabels', { checkLabels: 1 as never }],
])('settings: %s is refused by name', (setting, change) => {
  expect(() => writeSettings({ target: { model: 'm' }, ...change })).toThrow(
    expect.objectContaining({ code: 'E_ARGUMENT', details: { setting } }),
  )
})
