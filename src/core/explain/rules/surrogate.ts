// Rules that say what a classifier does over many rows: a surrogate tree (Craven & Shavlik 1995) and a rule list, learnt from
// its answers on some of the rows and held against its answers on the others.
import { wilson } from '../../../data/health/intervals.ts'
import type { Column } from '../../../protocol/data.ts'
import type { Rule, RuleFidelity, RuleRecord, RulesResult } from '../../../protocol/explain/dataset.ts'
import { probeSplit } from '../layers/probe.ts'
import { bitsOf, hasBit, narrowed, overlap, size, type Bits } from './bits.ts'
import { featuresOf, type RuleRow } from './features.ts'
import { findRules, type FoundRule } from './list.ts'
import { growTree, leafOf, majority, merged } from './tree.ts'

export const RULE_DEFAULTS = {
  depth: 3,
  leaf: 5,
  ngrams: [1, 2] as [number, number],
  features: 500,
  precision: 0.5,
  recall: 0.01,
  count: 8,
  seed: 0,
}

export interface SurrogateOptions {
  depth: number
  leaf: number
  ngrams: readonly [number, number]
  features: number
  precision: number
  recall: number
  count: number
  seed: number
  /** Columns that rules may speak of. */
  columns: readonly { column: Pick<Column, 'name' | 'type' | 'distinct'>; place: number }[]
  signal?: AbortSignal
  onClass?: (done: number, total: number) => void
}

export type Surrogate = Pick<RulesResult, 'held' | 'features' | 'tree' | 'rules' | 'fallback' | 'fidelity'>

/** Rules for `predicted`, the class that a model gives each row. 30% of the rows are held out, by class and seed. */
export async function surrogateRules(
  rows: readonly RuleRow[],
  predicted: readonly number[],
  classes: number,
  options: SurrogateOptions,
): Promise<Surrogate> {
  const { test } = probeSplit(predicted, options.seed)
  const held = new Uint8Array(rows.length)
  for (const row of test) held[row] = 1
  const fit = held.map((out) => 1 - out)
  const { list, bits } = featuresOf(rows, fit, options)
  const fitBits = bitsOf(rows.length, (row) => fit[row] === 1)
  const heldBits = bitsOf(rows.length, (row) => held[row] === 1)
  const classBits = Array.from({ length: classes }, (_, c) =>
    bitsOf(rows.length, (row) => predicted[row] === c),
  )

  const nodes = merged(growTree(bits, classBits, fitBits, options))
  const found = await findRules(bits, classBits, fitBits, options)
  const all = majority(classBits.map((set) => overlap(set, fitBits)))
  const fallback = fallbackOf(found, classBits, fitBits) ?? all

  const fidelity = (says: (row: number) => number): RuleFidelity => {
    const agreed = test.reduce((sum, row) => sum + Number(says(row) === predicted[row]), 0)
    const { low, high } = wilson(agreed, test.length)
    return { agreement: agreed / test.length, interval: [low, high] }
  }
  const says = (row: number) => nodes[leafOf(nodes, (feature) => hasBit(bits[feature]!, row))]!.counts
  return {
    held,
    features: list.length,
    tree: nodes.map(({ feature, yes, no, counts }) => ({
      feature: feature < 0 ? null : list[feature]!,
      yes,
      no,
      counts,
      label: majority(counts),
    })),
    rules: found.map((rule): Rule => {
      const mine = classBits[rule.label]!
      return {
        label: rule.label,
        conditions: rule.conditions.map(({ feature, holds }) => ({ feature: list[feature]!, holds })),
        fit: recordOf(rule.covered, mine, fitBits),
        held: recordOf(rule.covered, mine, heldBits),
        lowerBound: rule.lowerBound,
      }
    }),
    fallback,
    fidelity: {
      tree: fidelity((row) => majority(says(row))),
      list: fidelity((row) => found.find(({ covered }) => hasBit(covered, row))?.label ?? fallback),
      majority: fidelity(() => all),
    },
  }
}

function recordOf(covered: Bits, mine: Bits, among: Bits): RuleRecord {
  const rows = overlap(covered, among)
  const hits = overlap(narrowed(covered, mine, true), among)
  return { rows, hits, precision: hits / rows, recall: hits / overlap(mine, among) }
}

/** The class most frequent among the rows that no rule speaks of; null where there are none. */
function fallbackOf(found: readonly FoundRule[], classes: readonly Bits[], fit: Bits): number | null {
  const left = found.reduce((rest, { covered }) => narrowed(rest, covered, false), fit)
  return size(left) === 0 ? null : majority(classes.map((set) => overlap(set, left)))
}
