// Rules over a dataset on models with a known rule, and their parts against scikit-learn, scipy and cleanlab
// (tools/golden/rules.py).
import { readFileSync } from 'node:fs'
import Papa from 'papaparse'
import { describe, expect, it } from 'vitest'
import { wordImportance, wordScores } from '../../../src/core/explain/dataset/importance.ts'
import { labelQuality, mistakesOf, softmaxRows } from '../../../src/core/explain/dataset/mistakes.ts'
import { meanWithInterval } from '../../../src/core/explain/faithfulness.ts'
import { bitsOf, hasBit, narrowed, overlap, size } from '../../../src/core/explain/rules/bits.ts'
import { featuresOf, hasFeature, type RuleRow } from '../../../src/core/explain/rules/features.ts'
import {
  RULE_DEFAULTS,
  surrogateRules,
  type SurrogateOptions,
} from '../../../src/core/explain/rules/surrogate.ts'
import { growTree, leafOf, majority, merged } from '../../../src/core/explain/rules/tree.ts'
import { words } from '../../../src/core/rng.ts'
import { wilson } from '../../../src/data/health/intervals.ts'
import type { Rule, RuleCondition, RulesResult } from '../../../src/protocol/explain.ts'

interface Golden {
  trees: {
    depth: number
    leaf: number
    rows: string[]
    labels: number[]
    nodes: [feature: number, counts: number[]][]
    predicted: number[]
  }[]
  ngrams: { texts: number; least: number; counts: Record<string, number> }
  intervals: { shares: [number, number][]; wilson: number[][]; values: number[]; t: number[] }
  labels: { logits: number[]; gold: number[]; selfConfidence: number[]; normalisedMargin: number[] }
}
const golden = JSON.parse(readFileSync(new URL('../../golden/rules.json', import.meta.url), 'utf8')) as Golden

const COLUMNS = ['text', 'channel', 'amount', 'note']
const OPTIONS: SurrogateOptions = {
  ...RULE_DEFAULTS,
  columns: [
    { column: { name: 'channel', type: 'category', distinct: 3 }, place: 1 },
    { column: { name: 'amount', type: 'number', distinct: 90 }, place: 2 },
    { column: { name: 'note', type: 'text', distinct: 60 }, place: 3 },
  ],
}
const WORDS = ['order', 'refund', 'please', 'late', 'parcel', 'invoice', 'never', 'again', 'today', 'box']

/** Rows of random words and cells, the same each time. */
function randomRows(count: number): RuleRow[] {
  return Array.from({ length: count }, (_, row) => {
    const drawn = words({ seed: 9, purpose: 'noise', step: row }, 12)
    const text = Array.from(drawn.subarray(0, 6), (word) => WORDS[word % WORDS.length]!).join(' ')
    const channel = ['mail', 'phone', 'chat'][drawn[7]! % 3]!
    const note = drawn[9]! % 4 === 0 ? '' : `remark ${drawn[9]! % 97}`
    return { text, cells: [text, channel, String(drawn[8]! % 100), note] }
  })
}

const meets = (conditions: readonly RuleCondition[], row: RuleRow) =>
  conditions.every(({ feature, holds }) => hasFeature(feature, row, COLUMNS) === holds)

/** What a rule is worth, counted row by row from what the result says. */
function recounted(
  { label, conditions }: Rule,
  rows: readonly RuleRow[],
  predicted: readonly number[],
  among: (row: number) => boolean,
) {
  const here = rows.flatMap((row, i) => (among(i) && meets(conditions, row) ? [i] : []))
  const hits = here.filter((i) => predicted[i] === label).length
  const all = predicted.filter((class_, i) => among(i) && class_ === label).length
  return { rows: here.length, hits, precision: hits / here.length, recall: hits / all }
}

function treeSays(tree: RulesResult['tree'], row: RuleRow): number {
  let at = tree[0]!
  while (at.feature) at = tree[hasFeature(at.feature, row, COLUMNS) ? at.yes : at.no]!
  return at.label
}

describe('trees', () => {
  it.each(golden.trees)('as scikit-learn grows them (depth $depth, leaf $leaf)', (given) => {
    const { rows, labels, nodes, predicted, ...options } = given
    const classes = Math.max(...labels) + 1
    const features = Array.from(rows[0]!, (_, f) => bitsOf(rows.length, (row) => rows[row]![f] === '1'))
    const sets = Array.from({ length: classes }, (_, c) => bitsOf(rows.length, (row) => labels[row] === c))
    const grown = growTree(
      features,
      sets,
      bitsOf(rows.length, () => true),
      options,
    )
    expect(grown.map(({ feature, counts }) => [feature, counts])).toEqual(nodes)
    const says = (tree: typeof grown) =>
      rows.map((_, row) => majority(tree[leafOf(tree, (f) => hasBit(features[f]!, row))]!.counts))
    expect(says(grown)).toEqual(predicted)
    const short = merged(grown)
    expect(says(short)).toEqual(predicted)
    expect(short.length).toBeLessThanOrEqual(grown.length)
  })

  it('take the first of equal questions, and a question whose sides agree is merged', () => {
    const a = bitsOf(4, (row) => row < 2)
    const classes = [bitsOf(4, (row) => row < 2), bitsOf(4, (row) => row >= 2)]
    const all = bitsOf(4, () => true)
    const not = narrowed(all, a, false)
    for (const features of [
      [a, not],
      [not, a],
    ])
      expect(growTree(features, classes, all, { depth: 1, leaf: 1 })[0]!.feature).toBe(0)
    const lopsided = [bitsOf(4, (row) => row < 3), bitsOf(4, (row) => row === 3)]
    const grown = growTree([bitsOf(4, (row) => row < 2)], lopsided, all, { depth: 1, leaf: 1 })
    expect(grown).toHaveLength(3)
    expect(merged(grown)).toEqual([{ feature: -1, yes: -1, no: -1, counts: [3, 1] }])
  })

  it('count bits of every word', () => {
    const bits = bitsOf(70, (row) => row % 3 !== 0)
    expect(size(bits)).toBe(46)
    expect(
      overlap(
        bits,
        bitsOf(70, (row) => row >= 32),
      ),
    ).toBe(25)
    expect(
      size(
        narrowed(
          bitsOf(70, () => true),
          bits,
          false,
        ),
      ),
    ).toBe(24)
  })
})

describe('features', () => {
  it('n-grams as CountVectorizer counts them', () => {
    const file = readFileSync(new URL('../../../public/samples/support.csv', import.meta.url), 'utf8')
    const { data } = Papa.parse<{ text: string }>(file, { header: true })
    const { texts, least, counts } = golden.ngrams
    const rows = data.slice(0, texts).map(({ text }) => ({ text, cells: [] }))
    const fit = rows.map(() => 1)
    const found = featuresOf(rows, fit, { ngrams: [1, 2], features: 1e6, leaf: least, columns: [] })
    const ours = Object.fromEntries(
      found.list.map((feature, i) => [feature.kind === 'ngram' && feature.text, size(found.bits[i]!)]),
    )
    // Of features that the same rows have, one is kept; and one that nearly every row has tells nothing.
    for (const [gram, count] of Object.entries(ours)) expect(counts[gram]).toBe(count)
    const sets = new Set(found.bits.map((bits) => bits.join()))
    expect(sets.size).toBe(found.list.length)
    for (const [gram, count] of Object.entries(counts)) {
      if (gram in ours || count > texts - least) continue
      const feature = { kind: 'ngram', text: gram } as const
      expect(sets).toContain(bitsOf(texts, (row) => hasFeature(feature, rows[row]!, [])).join())
    }
  })

  it('columns: values, thresholds, empty cells; nothing of rows held out', () => {
    const rows = randomRows(100)
    const fit = rows.map((_, row) => Number(row < 70))
    rows[99] = { text: 'unseen unseen', cells: ['', 'fax', '7', ''] }
    const { list, bits } = featuresOf(rows, fit, { ...OPTIONS, leaf: 1 })
    expect(list.filter(({ kind }) => kind === 'equals')).toHaveLength(3)
    expect(list.filter(({ kind }) => kind === 'atMost').length).toBeGreaterThan(5)
    expect(list).toContainEqual({ kind: 'empty', column: 'note' })
    expect(JSON.stringify(list)).not.toMatch(/unseen|fax/)
    list.forEach((feature, f) =>
      rows.forEach((row, i) => expect(hasBit(bits[f]!, i)).toBe(hasFeature(feature, row, COLUMNS))),
    )
  })
})

describe('rules', () => {
  const rows = randomRows(400)
  const has = (row: RuleRow, word: string) => row.text.split(' ').includes(word)

  it.each([
    ['one word', (row: RuleRow) => Number(has(row, 'refund')), ['refund']],
    [
      'a word without another',
      (row: RuleRow) => Number(has(row, 'refund') && !has(row, 'never')),
      ['refund', '!never'],
    ],
    ['a pair of words', (row: RuleRow) => Number(row.text.includes('late parcel')), ['late parcel']],
    ['a column', (row: RuleRow) => Number(row.cells[1] === 'phone'), ['channel=phone']],
  ])('a planted rule is found with fidelity 1: %s', async (_, model, wanted) => {
    const predicted = rows.map(model)
    const found = await surrogateRules(rows, predicted, 2, OPTIONS)
    const { tree, list, majority } = found.fidelity
    expect([tree.agreement, list.agreement]).toEqual([1, 1])
    expect(tree.interval[0]).toBeGreaterThan(majority.interval[0])
    expect(majority.agreement).toBeLessThan(1)
    const said = found.rules
      .filter(({ label }) => label === 1)[0]!
      .conditions.map(({ feature, holds }) => {
        const name =
          feature.kind === 'ngram'
            ? feature.text
            : `${feature.column}=${String('value' in feature && feature.value)}`
        return holds ? name : `!${name}`
      })
    expect(said.toSorted()).toEqual(wanted.toSorted())
  })

  it('stored precision, recall and fidelity are those counted row by row; the same seed gives the same', async () => {
    const predicted = rows.map((row, i) =>
      words({ seed: 3, purpose: 'noise', step: i }, 1)[0]! % 5 === 0
        ? 2
        : has(row, 'refund') || has(row, 'invoice')
          ? 1
          : 0,
    )
    const found = await surrogateRules(rows, predicted, 3, OPTIONS)
    expect(found.rules.length).toBeGreaterThan(3)
    const isHeld = (row: number) => found.held[row] === 1
    const heldRows = rows.flatMap((_, row) => (isHeld(row) ? [row] : []))
    expect(heldRows.length).toBeGreaterThan(110)
    const perLabel = [0, 0, 0]
    const seen = new Set<string>()
    for (const rule of found.rules) {
      expect(rule.fit).toEqual(recounted(rule, rows, predicted, (row) => !isHeld(row)))
      expect(rule.held).toEqual(recounted(rule, rows, predicted, isHeld))
      expect(rule.fit.precision).toBeGreaterThanOrEqual(0.5)
      expect(rule.fit.recall).toBeGreaterThanOrEqual(0.01)
      expect(rule.lowerBound).toBe(wilson(rule.fit.hits, rule.fit.rows).low)
      expect(rule.conditions.length).toBeLessThanOrEqual(3)
      expect(++perLabel[rule.label]!).toBeLessThanOrEqual(8)
      const rowsOf = rows.flatMap((row, i) => (!isHeld(i) && meets(rule.conditions, row) ? [i] : [])).join()
      expect(seen.has(`${rule.label}/${rowsOf}`)).toBe(false)
      seen.add(`${rule.label}/${rowsOf}`)
    }
    const bounds = found.rules.map(({ lowerBound }) => lowerBound)
    expect(bounds).toEqual(bounds.toSorted((a, b) => b - a))
    const agreed = (says: (row: RuleRow) => number) =>
      heldRows.filter((row) => says(rows[row]!) === predicted[row]).length / heldRows.length
    expect(found.fidelity.tree.agreement).toBe(agreed((row) => treeSays(found.tree, row)))
    const first = (row: RuleRow) => found.rules.find(({ conditions }) => meets(conditions, row))
    expect(found.fidelity.list.agreement).toBe(agreed((row) => first(row)?.label ?? found.fallback))
    expect(await surrogateRules(rows, predicted, 3, OPTIONS)).toEqual(found)
    expect(await surrogateRules(rows, predicted, 3, { ...OPTIONS, seed: 1 })).not.toEqual(found)
  })

  it('a model that answers at random has no rule that holds', async () => {
    const predicted = rows.map((_, i) => words({ seed: 4, purpose: 'noise', step: i }, 1)[0]! % 2)
    const { fidelity } = await surrogateRules(rows, predicted, 2, OPTIONS)
    expect(fidelity.tree.interval[0]).toBeLessThan(0.5)
  })

  it('stops when asked to', async () => {
    const signal = AbortSignal.abort()
    const predicted = rows.map((row) => Number(has(row, 'refund')))
    await expect(surrogateRules(rows, predicted, 2, { ...OPTIONS, signal })).rejects.toMatchObject({
      code: 'E_ABORTED',
    })
  })
})

describe('numbers beside them', () => {
  it('intervals as scipy', () => {
    const { shares, values, t } = golden.intervals
    shares.forEach(([count, of], i) => {
      const { low, high } = wilson(count, of)
      expect(low).toBeCloseTo(golden.intervals.wilson[i]![0]!, 8)
      expect(high).toBeCloseTo(golden.intervals.wilson[i]![1]!, 8)
    })
    const { interval } = meanWithInterval(values)
    interval.forEach((end, i) => expect(Math.abs(end - t[i]!)).toBeLessThan(1e-3))
  })

  it('how well labels fit as cleanlab', () => {
    const { logits, gold } = golden.labels
    const probabilities = softmaxRows(logits, 4)
    gold.forEach((label, row) => {
      const own = probabilities.subarray(row * 4, row * 4 + 4)
      for (const method of ['selfConfidence', 'normalisedMargin'] as const)
        expect(labelQuality(own, label, method)).toBeCloseTo(golden.labels[method][row]!, 8)
    })
  })

  it('mistakes of a model whose errors are known', () => {
    // Rows 10 to 15: 0 right, 0 -> 1 twice (once surely), 1 right, 2 -> 0, 2 right.
    const probabilities = Float64Array.from(
      [
        [0.8, 0.1, 0.1],
        [0.3, 0.6, 0.1],
        [0.05, 0.9, 0.05],
        [0.1, 0.7, 0.2],
        [0.5, 0.1, 0.4],
        [0.1, 0.1, 0.8],
      ].flat(),
    )
    const judged = { rows: [10, 11, 12, 13, 14, 15], gold: [0, 0, 0, 1, 2, 2], probabilities }
    const found = mistakesOf(judged, 3, 'selfConfidence', 10)
    expect(found.accuracy).toBe(0.5)
    expect(found.confusion).toEqual([
      [1, 2, 0],
      [0, 1, 0],
      [1, 0, 1],
    ])
    expect(found.pairs).toMatchObject([
      { gold: 0, predicted: 1, count: 2, share: 2 / 3, rows: [12, 11] },
      { gold: 2, predicted: 0, count: 1, share: 1 / 2, rows: [14] },
    ])
    expect(found.pairs[0]!.margin).toBeCloseTo((0.3 + 0.85) / 2, 12)
    expect(found.suspects.map(({ row }) => row)).toEqual([12, 11, 14])
    expect(mistakesOf(judged, 3, 'normalisedMargin', 2).suspects.map(({ row }) => row)).toEqual([12, 11])
    // One label taken for another is not the other taken for the one.
    const swapped = { rows: [1, 2], gold: [0, 1], probabilities: Float64Array.of(0.2, 0.8, 0.9, 0.1) }
    expect(mistakesOf(swapped, 2, 'selfConfidence', 5).pairs).toMatchObject([
      { gold: 1, predicted: 0, count: 1, rows: [2] },
      { gold: 0, predicted: 1, count: 1, rows: [1] },
    ])
  })

  it('words: one number a text, means with intervals, the surest first', () => {
    const unit = (text: string, from: number) => ({ text, from, to: from + 1 })
    const units = [unit('Refund', 0), unit('!', 1), unit('refund,', 2), unit('the', 3)]
    expect(wordScores(units, [1, 5, 2, -0.5])).toEqual(
      new Map([
        ['refund', 3],
        ['the', -0.5],
      ]),
    )
    const texts = [
      [2, 0.5, 0],
      [2.2, -0.5, 0],
      [1.8, 0.1, -1],
    ].map(
      ([refund, the, never], i) =>
        new Map([['refund', refund!], ['the', the!], ...(i ? [['never', never!] as const] : [])]),
    )
    const found = wordImportance(texts, 3, 10)
    expect(found.map(({ word }) => word)).toEqual(['refund', 'the'])
    expect(found[0]).toMatchObject({ rows: 3, meanAbsolute: 2 })
    expect(found[0]!.mean).toBeCloseTo(2, 12)
    expect(found[1]!.meanAbsolute).toBeCloseTo(1.1 / 3, 12)
    expect(wordImportance(texts, 2, 10).map(({ word }) => word)).toContain('never')
    // Large on average, but not surely so: behind what is surely for or against.
    const rows = [[1, 9, -2], [1.01, -3, -2.02], [0.99, 3, -1.98]] // prettier-ignore
    const spread = rows.map(([steady, wide, against]) => new Map(Object.entries({ steady, wide, against })))
    expect(wordImportance(spread as Map<string, number>[], 3, 10).map(({ word }) => word)).toEqual([
      'against',
      'steady',
      'wide',
    ])
  })
})
