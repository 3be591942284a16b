// The form of a split and what is asked for with it: there and back.
import { expect, test } from 'vitest'
import type { Column, Dataset, Split } from '../../../src/protocol/data.ts'
import { choiceOf, isPlain, problemOf, requestOf, saySplit } from '../../../src/views/data/splitWords.ts'

const column = (name: string, type: Column['type'], distinct: number): Column => ({
  name,
  type,
  distinct,
  missing: 0,
  meanLength: 5,
})
const dataset = (split: Partial<Split> | null): Dataset =>
  ({
    rows: 100,
    columns: [
      column('text', 'text', 100),
      column('label', 'category', 4),
      column('day', 'date', 30),
      column('customer', 'category', 9),
    ],
    config: { task: 'classify', columns: { text: 'text', label: 'label' } },
    suggestion: null,
    split: split && {
      train: 0.8,
      validation: 0.1,
      test: 0.1,
      seed: 42,
      rows: { train: 80, validation: 10, test: 10 },
      ...split,
    },
  }) as unknown as Dataset

test('the columns that a form starts with suit what they are for', () => {
  expect(choiceOf(dataset(null))).toMatchObject({
    mode: 'random',
    group: 'customer',
    time: 'day',
    by: [],
    validation: 10,
  })
})

test.each<[Partial<Split>, object, string]>([
  [{ stratify: 'label' }, { by: ['label'] }, 'at random, shares of label kept'],
  [{ by: ['label', 'day'] }, { by: ['label', 'day'] }, 'at random, shares of label and day kept'],
  [
    { group: 'customer', near: 0.8 },
    { by: [], group: 'customer', near: true },
    'rows of one customer together, near-duplicates together',
  ],
  [{ time: 'day' }, { time: 'day' }, 'in the order of day'],
  [{ folds: 5, fold: 2 }, { by: [], folds: 5, fold: 2 }, 'at random, fold 3 of 5 validates'],
])('%j', (split, request, words) => {
  const sizes = { train: 0.8, validation: 0.1, test: 0.1, seed: 42 }
  expect(requestOf(choiceOf(dataset(split)))).toEqual({ ...sizes, ...request })
  expect(saySplit(dataset(split).split!)).toBe(words)
  expect(isPlain(dataset(split).split)).toBe('stratify' in split)
})

test('sizes in rows, and parts that leave nothing to train on', () => {
  const choice = { ...choiceOf(dataset(null)), unit: 'rows' as const, validation: 20, test: 30 }
  expect(requestOf(choice)).toEqual({ unit: 'rows', validation: 20, test: 30, seed: 42, by: [] })
  expect(problemOf(choice, 100)).toBeNull()
  expect(problemOf({ ...choice, test: 80 }, 100)).toContain('train')
  expect(problemOf({ ...choice, unit: 'share', validation: 60, test: 40 }, 1000)).toContain('train')
})
