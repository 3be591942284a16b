// The tree that Partition SHAP gives credit along: pieces of a text halved again and again, words kept together in their
// sentences and tokens in their words.
import type { Unit } from '../../../protocol/explain.ts'

/** A player, or two groups. */
export type Tree = number | readonly [Tree, Tree]

export function leavesOf(tree: Tree): number[] {
  return typeof tree === 'number' ? [tree] : [...leavesOf(tree[0]), ...leavesOf(tree[1])]
}

/** Groups in their order, halved until each stands alone; at least one. */
export function halved(groups: readonly Tree[]): Tree {
  if (groups.length === 1) return groups[0]!
  const middle = Math.ceil(groups.length / 2)
  return [halved(groups.slice(0, middle)), halved(groups.slice(middle))]
}

/**
 * The tree of a text's pieces. `levels` are coarser pieces of the same text, the finest first (words, then sentences);
 * what lies in one of them stays together.
 */
export function treeOf(units: readonly Unit[], levels: readonly (readonly Unit[])[]): Tree {
  let groups = units.map(({ from }, player) => ({ tree: player as Tree, from }))
  for (const level of levels) {
    groups = level.flatMap(({ from, to }) => {
      const inside = groups.filter((group) => group.from >= from && group.from < to)
      return inside.length > 0 ? [{ tree: halved(inside.map(({ tree }) => tree)), from }] : []
    })
  }
  return halved(groups.map(({ tree }) => tree))
}
