// Pure parts of the page: the window over a long table, the history of a run, scores by label, model cards.
import { describe, expect, it } from 'vitest'
import type { HistoryEntry } from '../../../src/protocol/run.ts'
import { looksLikeModel } from '../../../src/state/dropped.ts'
import { mergeHistory } from '../../../src/state/history.ts'
import { fileName } from '../../../src/ui/download.ts'
import { rowWindow, scrollToRow } from '../../../src/ui/windowing.ts'
import { columnsFor, finishConfig } from '../../../src/views/data/tasks.ts'
import { perLabel } from '../../../src/views/evaluate/perLabel.ts'
import { cardText, licenceOf } from '../../../src/views/model/card.ts'

describe('row window', () => {
  const input = { rows: 100_000, rowHeight: 32, viewport: 320, scrollTop: 0 }

  it('draws the rows in sight and a few around them', () => {
    expect(rowWindow(input)).toEqual({ first: 0, last: 18, top: 0, height: 3_200_000 })
    expect(rowWindow({ ...input, scrollTop: 32_000 })).toMatchObject({ first: 992, last: 1018, top: 31_744 })
  })

  it('reaches the last row of a table that is too tall for a scroll box', () => {
    const tall = { ...input, rows: 2_000_000 }
    const end = rowWindow({ ...tall, scrollTop: 8_000_000 - 320 })
    expect(end.height).toBe(8_000_000)
    expect(end.last).toBe(2_000_000)
    // The last row ends exactly at the lower edge of the viewport.
    expect(end.top + (end.last - end.first) * 32).toBeCloseTo(8_000_000, 3)
  })

  it('scrolls the least that brings a row into sight', () => {
    expect(scrollToRow(input, 5)).toBe(0)
    expect(scrollToRow(input, 10)).toBe(32)
    expect(scrollToRow({ ...input, scrollTop: 6400 }, 100)).toBe(3200)
  })
})

describe('history of a run', () => {
  const entry = (step: number, loss: number): HistoryEntry => ({
    step,
    loss,
    learningRate: 1e-3,
    gradNorm: 1,
    tokensPerSecond: 1,
  })

  it('appends, and replaces the steps that a resumed run repeats', () => {
    const old = [entry(1, 3), { ...entry(2, 2), validationLoss: 2.5 }, entry(3, 1)]
    expect(mergeHistory(old, [entry(4, 0.5)]).map(({ loss }) => loss)).toEqual([3, 2, 1, 0.5])
    expect(mergeHistory(old, [entry(2, 9), entry(3, 8)])).toEqual([
      entry(1, 3),
      { ...entry(2, 9), validationLoss: 2.5 },
      entry(3, 8),
    ])
    expect(mergeHistory(old, [])).toBe(old)
  })
})

describe('scores by label', () => {
  it('agrees with the definitions, and leaves out what has no rows', () => {
    const [a, b, c] = perLabel(
      ['a', 'b', 'c'],
      [
        [3, 1, 0],
        [2, 4, 0],
        [0, 0, 0],
      ],
    )
    expect(a).toEqual({ label: 'a', rows: 4, precision: 0.6, recall: 0.75, f1: 6 / 9 })
    expect(b).toEqual({ label: 'b', rows: 6, precision: 0.8, recall: 4 / 6, f1: 8 / 11 })
    expect([c!.precision, c!.recall, c!.f1]).toEqual([NaN, NaN, NaN])
  })
})

describe('tasks', () => {
  const columns = ['q', 'a'].map((name) => ({
    name,
    type: 'text' as const,
    missing: 0,
    distinct: 2,
    meanLength: 9,
  }))

  it('carries columns from one task to another', () => {
    expect(columnsFor('instruct', { text: 'q', label: 'a' }, columns)).toEqual({
      prompt: 'q',
      completion: 'a',
    })
    expect(columnsFor('classify', {}, columns)).toEqual({ text: 'q', label: 'a' })
  })

  it('knows a text without a beginning as text', () => {
    expect(finishConfig({ task: 'complete', columns: { completion: 'a' }, separator: ' ' })).toEqual({
      task: 'complete',
      columns: { text: 'a' },
    })
    expect(
      finishConfig({ task: 'complete', columns: { prompt: 'q', completion: 'a' }, separator: ' ' }),
    ).toEqual({
      task: 'complete',
      columns: { prompt: 'q', completion: 'a' },
      separator: ' ',
    })
  })
})

describe('files and cards', () => {
  it('tells a model from data', () => {
    const named = (...names: string[]) => names.map((name) => new File([], name))
    expect(looksLikeModel(named('config.json', 'model.safetensors'))).toBe(true)
    expect(looksLikeModel(named('reviews.csv'))).toBe(false)
  })

  it('makes file names that every system takes', () => {
    expect(fileName('a/b: "c"?', 'zip')).toBe('a-b-c.zip')
    expect(fileName('...', 'zip')).toBe('graft.zip')
  })

  it('reads a card as text', () => {
    const card = '---\nlicense: cc-by-sa-4.0\n---\n# Name\n\n- **Data**: `books` <img src=x>\n'
    expect(licenceOf(card)).toBe('cc-by-sa-4.0')
    expect(cardText(card)).toBe('Name\n\n• Data: books <img src=x>')
    expect(licenceOf('# No front matter')).toBeNull()
  })
})
