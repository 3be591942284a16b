// A part of a dataset as training examples: usable rows found once, tokenised when a batch asks for them.
import type { Example } from '../../src/core/train/objective.ts'
import type { ExampleSource } from '../../src/core/train/trainer.ts'
import {
  classifyExamples,
  languageExamples,
  learnedCell,
  taskCells,
  type ClassifyExample,
  type LanguageExample,
} from '../../src/data/examples.ts'
import type { TextTokenizer } from '../../src/data/tokenizer.ts'
import { SPLIT_NAMES, type Dataset, type SplitName, type TaskConfig } from '../../src/protocol/data.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { UnlabelledRows } from '../../src/protocol/run.ts'
import type { Store } from '../../src/store/database.ts'
import { eachBatch, readParts, readRowsAt } from '../../src/store/datasets.ts'
import { readRecipe } from '../../src/store/recipes.ts'

/** Examples kept after they were tokenised: an epoch over a small dataset tokenises each row once. */
const REMEMBERED_EXAMPLES = 20_000
/** Training rows up to which every one is looked at before a run; of more, as many spread evenly. */
const CHECKED_ROWS = 20_000
/** Rows without anything to learn that a plan names. */
export const UNLABELLED_LIMIT = 100
const EMPTY_REASON = 'The cell to learn from is empty.'
/** Rows tokenised before the engine looks after its other work. */
const SLICE_ROWS = 100

export type RowExample = ClassifyExample | LanguageExample

/** How rows become examples for one run. */
export interface RowReading {
  dataset: Dataset
  taskConfig: TaskConfig
  /** In the order of the head (classify only). */
  labels: string[] | null
  tokenizer: TextTokenizer
  maxLength: number
}

/** Makes an example of a row's cells. Throws E_DATASET if the task's columns are not there. */
export function exampleMaker({
  dataset,
  taskConfig,
  labels,
  tokenizer,
  maxLength,
}: RowReading): (cells: readonly string[]) => RowExample {
  const columns = dataset.columns.map((column) => column.name)
  return labels
    ? classifyExamples(taskConfig, columns, labels, tokenizer, { maxLength })
    : languageExamples(taskConfig, columns, tokenizer, { maxLength })
}

export class DatasetRows implements ExampleSource {
  readonly #store: Store
  /** As it was when the rows were opened: a recipe that is applied meanwhile changes nothing here. */
  readonly #dataset: Dataset
  readonly #indices: Uint32Array
  /** Of the dataset's rows; only where training rows have weights. */
  readonly #weights: Float64Array | null
  readonly #make: (cells: readonly string[]) => RowExample
  readonly #made = new Map<number, RowExample>()

  private constructor(
    store: Store,
    dataset: Dataset,
    indices: Uint32Array,
    weights: Float64Array | null,
    make: (cells: readonly string[]) => RowExample,
    /** Rows of the part whose cells are empty; they are never asked for. */
    readonly empty: number,
    private readonly firstEmpty: number[],
  ) {
    this.#store = store
    this.#dataset = dataset
    this.#indices = indices
    this.#weights = weights
    this.#make = make
  }

  /** The rows of one part of the split that have what the task needs. Throws E_DATASET where there is no such row. */
  static async open(store: Store, reading: RowReading, split: SplitName): Promise<DatasetRows> {
    const { dataset, taskConfig, labels } = reading
    const { parts } = await readParts(store, dataset.id)
    const weighted = split === 'train' && dataset.version?.weights !== undefined
    const weights = weighted ? ((await readRecipe(store, dataset.id))?.weights ?? null) : null
    const part = SPLIT_NAMES.indexOf(split)
    const cellsOf = taskCells(
      taskConfig,
      dataset.columns.map((column) => column.name),
    )
    const known = labels && new Set(labels)
    const learned = learnedCell(taskConfig)
    const usable = (cells: readonly string[]) => {
      const row = cellsOf(cells)
      return row[learned].trim() !== '' && (known === null || known.has(row.label.trim()))
    }
    const indices: number[] = []
    const firstEmpty: number[] = []
    let empty = 0
    for await (const { start, rows } of eachBatch(store, dataset)) {
      rows.forEach((cells, i) => {
        if (parts[start + i] !== part) return
        if (usable(cells)) indices.push(start + i)
        else if (empty++ < UNLABELLED_LIMIT) firstEmpty.push(start + i)
      })
    }
    return new DatasetRows(
      store,
      dataset,
      Uint32Array.from(indices),
      weights,
      exampleMaker(reading),
      empty,
      firstEmpty,
    )
  }

  get rows(): number {
    return this.#indices.length
  }

  /** Index in the dataset of each place. */
  get indices(): Uint32Array {
    return this.#indices.slice()
  }

  /** The cells of rows, in the order of the dataset's columns. */
  cells(places: readonly number[]): Promise<string[][]> {
    return readRowsAt(
      this.#store,
      this.#dataset,
      places.map((place) => this.#indices[place]!),
    )
  }

  async get(places: readonly number[]): Promise<Example[]> {
    return (await this.examples(places)).map((example, i) => ({
      ids: example.ids,
      ...('label' in example ? { label: example.label } : { labels: example.labels }),
      ...(this.#weights && { weight: this.#weights[this.#indices[places[i]!]!]! }),
    }))
  }

  /** The same with what was cut, for reports. */
  async examples(places: readonly number[]): Promise<RowExample[]> {
    const missing = places.filter((place) => !this.#made.has(place))
    const fresh = new Map<number, RowExample>()
    if (missing.length > 0) {
      const rows = await readRowsAt(
        this.#store,
        this.#dataset,
        missing.map((place) => this.#indices[place]!),
      )
      missing.forEach((place, i) => fresh.set(place, this.#make(rows[i]!)))
    }
    const found = places.map((place) => fresh.get(place) ?? this.#made.get(place)!)
    for (const [place, example] of fresh)
      if (this.#made.size < REMEMBERED_EXAMPLES) this.#made.set(place, example)
    return found
  }

  /** Which rows would train nothing, and why; every row is tokenised, of very many a part. Throws E_ABORTED. */
  async unlabelled(signal?: AbortSignal): Promise<UnlabelledRows> {
    const step = Math.max(1, this.rows / CHECKED_ROWS)
    const checked = Math.floor(this.rows / step)
    const reasons = new Map<string, number>()
    const bare: number[] = []
    let found = 0
    for (let start = 0; start < checked; start += SLICE_ROWS) {
      const places = Array.from({ length: Math.min(SLICE_ROWS, checked - start) }, (_, i) =>
        Math.floor((start + i) * step),
      )
      for (const [i, example] of (await this.examples(places)).entries()) {
        if (trains(example)) continue
        const reason = example.problem ?? 'There is nothing to learn.'
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
        if (found++ < UNLABELLED_LIMIT) bare.push(this.#indices[places[i]!]!)
      }
      await pause()
      throwIfAborted(signal)
    }
    if (this.empty > 0) reasons.set(EMPTY_REASON, this.empty)
    const [reason] = [...reasons].sort((a, b) => b[1] - a[1])[0] ?? [null]
    return {
      count: this.empty + Math.round(found * step),
      rows: [...this.firstEmpty, ...bare].sort((a, b) => a - b).slice(0, UNLABELLED_LIMIT),
      reason,
      checked: this.empty + checked,
    }
  }

  /** Whether any row has something to learn; it looks no further than the first one. */
  async teaches(): Promise<boolean> {
    for (let start = 0; start < this.rows; start += SLICE_ROWS) {
      const places = Array.from({ length: Math.min(SLICE_ROWS, this.rows - start) }, (_, i) => start + i)
      if ((await this.examples(places)).some(trains)) return true
      await pause()
    }
    return false
  }
}

const trains = (example: RowExample): boolean =>
  example.problem === undefined && ('label' in example || example.trained > 0)

/** Lets messages and other work of the worker in between. */
const pause = () => new Promise<void>((resolve) => setTimeout(resolve))

/** A fingerprint of the recipe, of which row is in which part, and of what rows are used for. Hex. */
export async function dataKey(store: Store, dataset: string, taskConfig: TaskConfig): Promise<string> {
  const { parts } = await readParts(store, dataset)
  const recipe = await readRecipe(store, dataset)
  const steps = recipe?.recipe.steps.filter(({ enabled }) => enabled !== false) ?? []
  const cooked = steps.length > 0 ? JSON.stringify({ seed: recipe!.recipe.seed, steps }) : ''
  const task = new TextEncoder().encode(JSON.stringify(taskConfig) + cooked)
  const bytes = new Uint8Array(parts.length + task.length)
  bytes.set(parts)
  bytes.set(task, parts.length)
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The confirmed task of a dataset, checked against the run's. Throws E_DATASET. */
export function taskOf(dataset: Dataset, task?: string): TaskConfig {
  const config = dataset.config ?? dataset.suggestion
  if (!config)
    throw new GraftError(
      'E_DATASET',
      `Choose what ${dataset.name} is for first: its task and columns, in the Data view.`,
      { dataset: dataset.id },
    )
  if (task !== undefined && task !== config.task)
    throw new GraftError(
      'E_DATASET',
      `${dataset.name} is set up for the task "${config.task}", not "${task}". Configure it again, or leave the task out.`,
      { dataset: dataset.id },
    )
  return config
}
