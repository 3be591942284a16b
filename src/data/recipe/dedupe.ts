// Duplicates: of each set of rows that are the same, one stays.
import type { DedupeExactStep, Keep } from '../../protocol/recipe.ts'
import { placesOf } from './columns.ts'
import { eachRow, rowStage, type Flow, type Stage, type StepContext } from './flow.ts'
import { joined, RowKeys } from './rowKeys.ts'

export async function dedupeExact(step: DedupeExactStep, input: Flow, context: StepContext): Promise<Stage> {
  const places = placesOf(input.columns, step.columns)
  const keys = new RowKeys()
  const keeper = new Keeper(step.keep ?? 'first')
  await eachRow(input, context, ({ cells }, index) => {
    const text = joined(cells, places)
    keeper.add(keys.number(step.ignoreCase ? text.toLowerCase() : text), index, cells)
  })
  const kept = keeper.kept()
  return rowStage(input.columns, (row, index) => (kept.has(index) ? row : null))
}

/** Chooses the row of each group that stays. */
export class Keeper {
  readonly #rows: number[] = []
  readonly #lengths: number[] = []

  constructor(private readonly keep: Keep) {}

  /** @param group counted from 0, each new one by one more */
  add(group: number, index: number, cells: readonly string[]): void {
    const length = this.keep === 'longest' ? cells.reduce((sum, cell) => sum + cell.length, 0) : 0
    const known = this.#rows[group] !== undefined
    if (known && this.keep === 'first') return
    if (known && this.keep === 'longest' && length <= this.#lengths[group]!) return
    this.#rows[group] = index
    this.#lengths[group] = length
  }

  kept(): ReadonlySet<number> {
    return new Set(this.#rows)
  }
}
