// Rows that belong together in a split: by the value of a column, by saying almost the same, or by either.
import type { Dataset } from '../../src/protocol/data.ts'

/** Rows are together if either grouping has them together. */
export function joinedGroups(a: ArrayLike<number>, b: ArrayLike<number>): number[] {
  const parents: number[] = []
  const root = (of: number): number => {
    let at = of
    while (parents[at] !== at) at = parents[at] = parents[parents[at]!]!
    return at
  }
  const first = [new Map<number, number>(), new Map<number, number>()]
  for (let row = 0; row < a.length; row++) {
    parents.push(row)
    for (const [side, groups] of [a, b].entries()) {
      const other = first[side]!.get(groups[row]!)
      if (other === undefined) first[side]!.set(groups[row]!, row)
      else {
        const [left, right] = [root(other), root(row)]
        parents[Math.max(left, right)] = Math.min(left, right)
      }
    }
  }
  return Array.from({ length: a.length }, (_, row) => root(row))
}

/** The columns that say what a row is about: those of the task but its label, else those of type text, else all. */
export function textPlaces(dataset: Dataset, columns: readonly string[]): number[] {
  const config = dataset.config ?? dataset.suggestion
  const ofTask = config
    ? Object.entries(config.columns).flatMap(([role, name]) => (role === 'label' ? [] : [name]))
    : []
  const texts = dataset.columns.flatMap(({ name, type }) => (type === 'text' ? [name] : []))
  for (const names of [ofTask, texts]) {
    const places = names.map((name) => columns.indexOf(name)).filter((place) => place >= 0)
    if (places.length > 0) return places
  }
  return columns.map((_, place) => place)
}
