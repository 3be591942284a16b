// A decision tree on features that are there or not: CART with the Gini impurity (Breiman et al. 1984), splits and stops as
// in scikit-learn's DecisionTreeClassifier(max_depth, min_samples_leaf). Of equally good questions the first is asked
// (scikit-learn draws one).
import { narrowed, overlap, size, type Bits } from './bits.ts'

export interface TreeNode {
  /** Index of the feature that is asked about; -1 in a leaf. */
  feature: number
  /** Places of the nodes where it is there and where it is not; -1 in a leaf. */
  yes: number
  no: number
  /** [classes]: rows that come here. */
  counts: number[]
}

export interface TreeOptions {
  depth: number
  /** Rows that each side of a question must have. */
  leaf: number
}

/** Gains closer than this share are equal: they differ by rounding. */
const ROUNDING = 1e-12

/** A tree over the rows in `within`, the root first; `classes[c]` are the rows of class c. */
export function growTree(
  features: readonly Bits[],
  classes: readonly Bits[],
  within: Bits,
  { depth, leaf }: TreeOptions,
): TreeNode[] {
  const nodes: TreeNode[] = []
  const grow = (here: Bits, left: number): number => {
    const parts = classes.map((rows) => narrowed(rows, here, true))
    const counts = parts.map(size)
    const rows = counts.reduce((sum, count) => sum + count, 0)
    const place = nodes.length
    const node: TreeNode = { feature: -1, yes: -1, no: -1, counts }
    nodes.push(node)
    if (left === 0 || rows < 2 * leaf || counts.filter((count) => count > 0).length < 2) return place
    const feature = bestQuestion(features, parts, counts, rows, leaf)
    if (feature < 0) return place
    node.feature = feature
    node.yes = grow(narrowed(here, features[feature]!, true), left - 1)
    node.no = grow(narrowed(here, features[feature]!, false), left - 1)
    return place
  }
  grow(within, depth)
  return nodes
}

function bestQuestion(
  features: readonly Bits[],
  parts: readonly Bits[],
  counts: readonly number[],
  rows: number,
  leaf: number,
): number {
  let best = -1
  let purest = -Infinity
  features.forEach((bits, feature) => {
    let yes = 0
    let yesSquares = 0
    let noSquares = 0
    for (let c = 0; c < parts.length; c++) {
      if (counts[c] === 0) continue
      const here = overlap(parts[c]!, bits)
      yes += here
      yesSquares += here * here
      noSquares += (counts[c]! - here) ** 2
    }
    if (yes < leaf || rows - yes < leaf) return
    // The weighted Gini impurity of the two sides is 1 - purity / rows.
    const purity = yesSquares / yes + noSquares / (rows - yes)
    if (purity > purest * (1 + ROUNDING) || best < 0) [best, purest] = [feature, purity]
  })
  return best
}

/** The class with most rows, the first of equals. */
export function majority(counts: readonly number[]): number {
  return counts.indexOf(Math.max(...counts))
}

/** The same answers with fewer questions: a question whose two sides end in the same class goes. */
export function merged(nodes: readonly TreeNode[]): TreeNode[] {
  const out: TreeNode[] = []
  /** The class of all leaves below, or -1. */
  const classBelow = (at: number): number => {
    const { feature, yes, no, counts } = nodes[at]!
    if (feature < 0) return majority(counts)
    const found = classBelow(yes)
    return found === classBelow(no) ? found : -1
  }
  const copy = (at: number): number => {
    const node = { ...nodes[at]! }
    const place = out.push(node) - 1
    if (node.feature < 0) return place
    if (classBelow(at) >= 0) node.feature = node.yes = node.no = -1
    else {
      node.yes = copy(node.yes)
      node.no = copy(node.no)
    }
    return place
  }
  copy(0)
  return out
}

/** The leaf that a row comes to. */
export function leafOf(nodes: readonly TreeNode[], has: (feature: number) => boolean): number {
  let at = 0
  for (;;) {
    const { feature, yes, no } = nodes[at]!
    if (feature < 0) return at
    at = has(feature) ? yes : no
  }
}
