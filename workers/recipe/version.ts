// A recipe over the raw rows becomes rows in the store: what everything after the Data view reads.
import { columnOf } from '../../src/data/columns.ts'
import { cook } from '../../src/data/recipe/cook.ts'
import { hundredths } from '../../src/data/pause.ts'
import type { FlowRow } from '../../src/data/recipe/flow.ts'
import { DEFAULT_SPLIT, withCounts } from '../../src/data/split.ts'
import { suggestTask } from '../../src/data/suggest.ts'
import type { Column, Dataset, TaskConfig, WeightRange } from '../../src/protocol/data.ts'
import { asGraftError, GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type { Recipe } from '../../src/protocol/recipe.ts'
import type { CellEdit } from '../../src/protocol/table.ts'
import type { Store } from '../../src/store/database.ts'
import { readRecipe, removeVersion, saveVersion } from '../../src/store/recipes.ts'
import { configured } from '../configure.ts'
import { RowSink } from '../import/rowSink.ts'
import { laterParts } from './laterParts.ts'
import { rawTable, TRAIN } from './raw.ts'

/** The split of the raw rows. */
export interface RawSplit {
  parts: Uint8Array
  folds?: Uint8Array
  chosen: boolean
}

/**
 * Makes the rows that `recipe` gives of a raw dataset and makes them the dataset's own, in one step; hold `whileWriting`.
 * Throws E_ARGUMENT where a step does not fit, E_DATASET where no row is left, E_STORAGE, E_ABORTED; then all is as before.
 */
export async function makeVersion(
  store: Store,
  raw: Dataset,
  split: RawSplit,
  recipe: Recipe,
  past: Recipe[],
  { signal, progress }: CallContext,
): Promise<Dataset> {
  const steps = recipe.steps.filter(({ enabled }) => enabled !== false).length
  if (steps === 0) {
    const parts = await laterParts(store, raw, split, signal)
    const folds = split.folds && { folds: split.folds }
    const { dataset, task } = await withTask(
      store,
      { ...raw, split: withCounts(raw.split ?? DEFAULT_SPLIT, parts) },
      raw,
      signal,
    )
    const reports = recipe.steps.map(() => null)
    await saveVersion(
      store,
      dataset,
      { parts, ...folds, chosen: split.chosen },
      { id: raw.id, recipe, past, reports, ...task },
    )
    return dataset
  }
  const key = `${raw.id}/${crypto.randomUUID()}`
  const sink = new RowSink(store, key)
  try {
    const ofRaw = await laterParts(store, raw, split, signal)
    const folds = split.folds && { folds: split.folds }
    let tell: (share: number) => void = () => undefined
    const cooked = await cook(rawTable(store, raw), recipe, {
      isTraining: (id) => ofRaw[id] === TRAIN,
      signal,
      onStep(done) {
        const label = `Step ${done + 1} of the recipe`
        progress({ label, done, total: recipe.steps.length + 1, unit: 'steps' })
        tell = hundredths(label, progress)
      },
      onShare: (_, share) => tell(share),
    })
    const made = new Numbers(recipe.steps.some(({ kind, enabled }) => kind === 'weigh' && enabled !== false))
    const hand = new HandEdits(recipe, cooked.columns)
    for await (const rows of cooked.batches()) {
      throwIfAborted(signal)
      await sink.take(
        rows.map(({ cells }) => [...cells]),
        cooked.columns,
      )
      for (const row of rows) {
        hand.see(row, made.length)
        made.push(row.id, row.synthetic ? 1 : 0, row.weight)
      }
      progress({ label: 'Writing the rows', done: made.length, unit: 'rows' })
      if (sink.overflowed)
        throw new GraftError(
          'E_LIMIT',
          'The recipe makes more rows than a dataset may have. Ask for fewer copies.',
        )
    }
    if (made.length === 0)
      throw new GraftError('E_DATASET', 'The recipe leaves no row. Switch off the step that removes them.')
    await sink.finish(cooked.columns)
    const { ids, synthetic, weights } = made.done()
    const parts = Uint8Array.from(ids, (id, row) => (synthetic[row] ? TRAIN : ofRaw[id]!))
    const profiles = sink.counters.map((counter) => counter.profile())
    const next: Dataset = {
      ...raw,
      rows: sink.rows,
      columns: profiles.map((profile) => typedAs(raw.columns, columnOf(profile))),
      suggestion: suggestTask(profiles),
      split: withCounts(raw.split ?? DEFAULT_SPLIT, parts),
      ...(hand.found.length > 0 && { edits: hand.found }),
      version: {
        rows: key,
        raw: { rows: raw.rows, columns: raw.columns },
        synthetic: synthetic.reduce((sum, one) => sum + one, 0),
        steps,
        ...(weights && { weights: rangeOf(weights, parts) }),
      },
    }
    const { dataset, task } = await withTask(store, next, raw, signal)
    throwIfAborted(signal)
    await saveVersion(
      store,
      dataset,
      { parts, raw: ofRaw, ...folds, chosen: split.chosen },
      {
        id: raw.id,
        recipe,
        past,
        reports: [...cooked.reports],
        ids,
        synthetic,
        ...(weights && { weights }),
        ...task,
      },
    )
    return dataset
  } catch (error) {
    await sink.settle()
    await removeVersion(store, key).catch(() => undefined)
    throw error
  }
}

/** The task that was confirmed, with the labels that are there now; without it, but remembered, where its columns are gone. */
async function withTask(
  store: Store,
  dataset: Dataset,
  before: Dataset,
  signal: AbortSignal,
): Promise<{ dataset: Dataset; task?: { task: TaskConfig } }> {
  const wanted = before.config ?? (await readRecipe(store, dataset.id))?.task
  const bare = { ...dataset, config: null, labels: null }
  if (!wanted) return { dataset: bare }
  try {
    return { dataset: await configured(store, dataset, wanted, signal) }
  } catch (thrown) {
    if (asGraftError(thrown).code !== 'E_DATASET') throw thrown
    return { dataset: bare, task: { task: wanted } }
  }
}

/** A column keeps the type that it had, or was given, as long as its cells are not found to be text. */
export function typedAs(columns: readonly Column[], column: Column): Column {
  const before = columns.find(({ name }) => name === column.name)
  if (!before || before.type === 'empty' || column.type === 'text' || column.type === 'empty') return column
  return { ...column, type: before.type }
}

/** The range of the training rows' weights. */
function rangeOf(weights: Float64Array, parts: Uint8Array): WeightRange {
  let [least, most] = [Infinity, 0]
  for (const [row, weight] of weights.entries()) {
    if (parts[row] !== TRAIN) continue
    least = Math.min(least, weight)
    most = Math.max(most, weight)
  }
  return { least, most }
}

/** Raw ids and marks, four and one bytes a row, and weights, eight, in arrays that grow. */
class Numbers {
  length = 0
  #ids = new Uint32Array(1024)
  #marks = new Uint8Array(1024)
  #weights: Float64Array | null

  constructor(weighted: boolean) {
    this.#weights = weighted ? new Float64Array(1024) : null
  }

  push(id: number, mark: number, weight = 1): void {
    if (this.length === this.#ids.length) {
      const ids = new Uint32Array(this.length * 2)
      ids.set(this.#ids)
      this.#ids = ids
      const marks = new Uint8Array(this.length * 2)
      marks.set(this.#marks)
      this.#marks = marks
      if (this.#weights) {
        const weights = new Float64Array(this.length * 2)
        weights.set(this.#weights)
        this.#weights = weights
      }
    }
    this.#ids[this.length] = id
    if (this.#weights) this.#weights[this.length] = weight
    this.#marks[this.length++] = mark
  }

  done(): { ids: Uint32Array; synthetic: Uint8Array; weights: Float64Array | null } {
    return {
      ids: this.#ids.slice(0, this.length),
      synthetic: this.#marks.slice(0, this.length),
      weights: this.#weights?.slice(0, this.length) ?? null,
    }
  }
}

/** Which cells of the rows are as someone wrote them by hand. */
class HandEdits {
  readonly found: CellEdit[] = []
  readonly #edits = new Map<number, { place: number; column: string; value: string }[]>()

  constructor(recipe: Recipe, columns: readonly string[]) {
    for (const step of recipe.steps)
      if (step.kind === 'edit' && step.enabled !== false)
        for (const { row, column, value } of step.edits) {
          const ofRow = this.#edits.get(row) ?? []
          const others = ofRow.filter((edit) => edit.column !== column)
          this.#edits.set(row, [...others, { place: columns.indexOf(column), column, value }])
        }
  }

  see({ cells, id, synthetic }: FlowRow, index: number): void {
    if (synthetic) return
    for (const { place, column, value } of this.#edits.get(id) ?? [])
      if (cells[place] === value) this.found.push({ row: index, column, value })
  }
}
