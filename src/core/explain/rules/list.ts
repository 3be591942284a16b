// A rule list after skope-rules (Goix et al. 2018): for each class small trees learn on random parts of the rows what tells
// it from the others; every way down to a node is a candidate rule. Of each, conditions that are not needed are dropped (as
// RIPPER prunes, Cohen 1995); kept are those with enough precision and recall that say more than the class's share alone,
// without those that speak of the same rows.
import { wilson } from '../../../data/health/intervals.ts'
import { throwIfAborted } from '../../../protocol/errors.ts'
import { permutation } from '../../rng.ts'
import { breathe } from '../../turns.ts'
import { bitsOf, hasBit, narrowed, overlap, size, type Bits } from './bits.ts'
import { growTree, type TreeNode, type TreeOptions } from './tree.ts'

export interface FoundCondition {
  feature: number
  holds: boolean
}

export interface FoundRule {
  label: number
  conditions: FoundCondition[]
  /** Of all rows those that meet the conditions. */
  covered: Bits
  /** In the rows learnt from: covered rows, and those of the class. */
  rows: number
  hits: number
  /** Of the precision: the lower end of Wilson's 95% interval. */
  lowerBound: number
}

export interface ListOptions extends TreeOptions {
  precision: number
  recall: number
  /** Rules of one class at most. */
  count: number
  seed: number
  signal?: AbortSignal
  onClass?: (done: number, total: number) => void
}

/** Trees for each class, and the share of the rows that each learns from. */
const TREES = 10
const PART = 0.8
/** A condition is needed if it lifts the lower bound of the precision by more than this: less is chance, and hard to read. */
const WORTH = 0.05
/** Two rules whose rows overlap by more than this (Jaccard) say the same. */
const ALIKE = 0.5

/** Rules of every class from the rows in `within`, the surest first. */
export async function findRules(
  features: readonly Bits[],
  classes: readonly Bits[],
  within: Bits,
  options: ListOptions,
): Promise<FoundRule[]> {
  const { leaf, precision, recall, count, seed, signal, onClass } = options
  const total = size(within)
  const rowsWithin = placesOf(within)
  const everything = bitsOf(within.length * 32, () => true)
  const found: FoundRule[] = []
  for (const [label, rows] of classes.entries()) {
    await breathe()
    throwIfAborted(signal)
    const mine = narrowed(within, rows, true)
    const positive = size(mine)
    const judge = (conditions: FoundCondition[]): FoundRule => {
      let covered = everything
      for (const { feature, holds } of conditions) covered = narrowed(covered, features[feature]!, holds)
      const [here, hits] = [overlap(covered, within), overlap(covered, mine)]
      return { label, conditions, covered, rows: here, hits, lowerBound: wilson(hits, here).low }
    }
    const candidates = new Map<string, FoundRule>()
    if (positive >= leaf && positive < total)
      for (let tree = 0; tree < TREES; tree++) {
        const part = drawn(rowsWithin, within.length * 32, { seed, label, tree })
        const nodes = growTree(features, [mine, narrowed(within, rows, false)], part, options)
        for (const path of pathsOf(nodes)) {
          const rule = shortened(judge(path), judge)
          candidates.set(keyOf(rule.conditions), rule)
        }
      }
    const good = [...candidates.values()].filter(
      (rule) =>
        rule.rows >= leaf &&
        rule.hits / rule.rows >= precision &&
        rule.hits / positive >= recall &&
        rule.lowerBound > positive / total,
    )
    found.push(...withoutRepeats(good.sort(bySureness), within).slice(0, count))
    onClass?.(label + 1, classes.length)
  }
  return found.sort(bySureness)
}

function bySureness(a: FoundRule, b: FoundRule): number {
  return (
    b.lowerBound - a.lowerBound ||
    a.conditions.length - b.conditions.length ||
    negations(a) - negations(b) ||
    (keyOf(a.conditions) < keyOf(b.conditions) ? -1 : 1)
  )
}

const negations = ({ conditions }: FoundRule): number => conditions.filter(({ holds }) => !holds).length
const keyOf = (conditions: readonly FoundCondition[]): string =>
  conditions
    .map(({ feature, holds }) => `${holds ? '' : '!'}${feature}`)
    .sort()
    .join()

/** Drops conditions that are not needed, the one that is missed least first. */
function shortened(rule: FoundRule, judge: (conditions: FoundCondition[]) => FoundRule): FoundRule {
  let best = rule
  for (;;) {
    const shorter = best.conditions
      .map((_, gone) => judge(best.conditions.filter((_, i) => i !== gone)))
      .filter(({ conditions, lowerBound }) => conditions.length > 0 && lowerBound >= best.lowerBound - WORTH)
      .sort(bySureness)[0]
    if (!shorter) return best
    best = shorter
  }
}

/** Of rules that hold for nearly the same rows the surest. */
function withoutRepeats(rules: readonly FoundRule[], within: Bits): FoundRule[] {
  const kept: FoundRule[] = []
  for (const rule of rules) {
    const here = narrowed(rule.covered, within, true)
    const repeats = kept.some((other) => {
      const both = overlap(here, other.covered)
      return both > ALIKE * (rule.rows + other.rows - both)
    })
    if (!repeats) kept.push(rule)
  }
  return kept
}

/** The conditions on the way to every node but the root. */
function pathsOf(nodes: readonly TreeNode[]): FoundCondition[][] {
  const paths: FoundCondition[][] = []
  const walk = (at: number, path: FoundCondition[]) => {
    if (path.length > 0) paths.push(path)
    const { feature, yes, no } = nodes[at]!
    if (feature < 0) return
    walk(yes, [...path, { feature, holds: true }])
    walk(no, [...path, { feature, holds: false }])
  }
  walk(0, [])
  return paths
}

/** A seeded part of the rows. */
function drawn(
  rows: readonly number[],
  room: number,
  { seed, label, tree }: { seed: number; label: number; tree: number },
): Bits {
  const order = permutation({ seed, purpose: 'sample', step: label + 1, layer: tree }, rows.length)
  const chosen = new Set(Array.from(order.subarray(0, Math.round(PART * rows.length)), (at) => rows[at]!))
  return bitsOf(room, (row) => chosen.has(row))
}

function placesOf(bits: Bits): number[] {
  return Array.from({ length: bits.length * 32 }, (_, row) => row).filter((row) => hasBit(bits, row))
}
