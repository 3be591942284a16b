// Partition SHAP (the shap package's PartitionExplainer): Owen values (Owen 1977) of a tree of pieces. A group's credit
// goes to its two halves, each seen with the other half absent and present; the groups with most credit are opened
// first. What the budget leaves unopened is shared out evenly by size, so values always add up.
import { Evaluator } from '../evaluate.ts'
import type { Game } from '../game.ts'
import { checkBudget, residualOf, type Shapley, type ShapOptions } from './shapley.ts'
import { leavesOf, type Tree } from './tree.ts'

export const PARTITION_SAMPLES = 500
/** Groups that are opened between two looks at which is next. */
const OPENED_AT_ONCE = 16

/** A group seen among some others: without it the game is worth `low`, with it `high`. */
interface Node {
  tree: Tree
  context: Uint8Array
  low: number
  high: number
  weight: number
}

export const partitionLeast = (players: number): number => (players > 1 ? 4 : 2)

/** `tree`: every player is one of its leaves. */
export async function partitionShap(game: Game, tree: Tree, options: ShapOptions = {}): Promise<Shapley> {
  const { players } = game
  const samples = options.samples ?? PARTITION_SAMPLES
  checkBudget('Partition', samples, partitionLeast(players), players)
  const evaluator = new Evaluator(game, samples, options)
  const values = new Float64Array(players)
  const [base, value] = await evaluator.ends()
  let open: Node[] = [{ tree, context: new Uint8Array(players), low: base, high: value, weight: 1 }]
  const credit = ({ low, high, weight }: Node) => (high - low) * weight
  while (open.length > 0) {
    open = open.filter((node) => {
      if (typeof node.tree !== 'number') return true
      values[node.tree]! += credit(node)
      return false
    })
    const affordable = Math.floor((samples - evaluator.done) / 2)
    if (affordable < 1 || open.length === 0) break
    // A stable sort: the same game is opened in the same order.
    open.sort((a, b) => Math.abs(credit(b)) - Math.abs(credit(a)))
    const batch = open.splice(0, Math.min(OPENED_AT_ONCE, affordable))
    const sides = batch.map(({ tree: group, context }) => {
      const [left, right] = group as readonly [Tree, Tree]
      return [joined(context, left), joined(context, right)] as const
    })
    const found = await evaluator.values(sides.flat())
    batch.forEach(({ tree: group, context, low, high, weight }, i) => {
      const [left, right] = group as readonly [Tree, Tree]
      const [withLeft, withRight] = [found[2 * i]!, found[2 * i + 1]!]
      const shared = { weight: weight / 2 }
      open.push(
        { tree: left, context, low, high: withLeft, ...shared },
        { tree: right, context, low, high: withRight, ...shared },
        { tree: left, context: sides[i]![1], low: withRight, high, ...shared },
        { tree: right, context: sides[i]![0], low: withLeft, high, ...shared },
      )
    })
  }
  let unresolved = 0
  for (const node of open) {
    const leaves = leavesOf(node.tree)
    unresolved += Math.abs(credit(node))
    for (const leaf of leaves) values[leaf]! += credit(node) / leaves.length
  }
  return {
    values,
    base,
    value,
    residual: residualOf(values, base, value),
    evaluations: evaluator.done,
    exact: open.length === 0,
    unresolved,
  }
}

function joined(context: Uint8Array, tree: Tree): Uint8Array {
  const coalition = context.slice()
  for (const leaf of leavesOf(tree)) coalition[leaf] = 1
  return coalition
}
