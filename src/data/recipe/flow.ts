// Rows on their way through a recipe. A flow can be walked more than once and gives the same rows each time, so a step that
// must know all rows before it decides (duplicates, majorities) walks its input first and keeps a plan, not the rows.
import type { StepReport, Weighed } from '../../protocol/recipe.ts'
import type { Pause } from '../pause.ts'
import type { Table } from '../table.ts'

export interface FlowRow {
  /** In the order of the flow's columns. Steps make new arrays; who changes nothing passes the same one on. */
  readonly cells: readonly string[]
  /** Index in the raw dataset; of a synthetic row that of the row it was made from, or NO_ROW. */
  readonly id: number
  /** Added by a step. */
  readonly synthetic: boolean
  /** In the loss; absent: 1. */
  readonly weight?: number
}

/** Raw id of a row that no raw row stands behind. */
export const NO_ROW = 0xffffffff

export interface Flow {
  readonly columns: readonly string[]
  batches(): AsyncIterable<readonly FlowRow[]>
}

/** One walk of a step over its input. */
export interface Walk {
  /** A row, several, or none (null) in place of one; `index` counts the rows of the input. */
  row(row: FlowRow, index: number): FlowRow | readonly FlowRow[] | null
  /** Rows after the last one. */
  end?(): readonly FlowRow[]
}

/** A step that knows its input's columns and has its plan. */
export interface Stage {
  readonly columns: readonly string[]
  /** Begins a walk; all walks give the same. */
  walk(): Walk
  /** The weights that it gives. */
  readonly weighed?: Weighed
}

export interface StepContext {
  /** Of the recipe. */
  seed: number
  /** Tells steps of one recipe apart for random numbers; it stays when steps of other kinds move. */
  salt: number
  /** Whether a raw row is for training; steps on the training part leave all others alone. */
  isTraining(id: number): boolean
  /** Of the raw dataset: about as many as a step sees. */
  rows: number
  /** Called after each batch of rows at least. */
  pause: Pause
}

/** A stage whose walks keep nothing from row to row. */
export function rowStage(columns: readonly string[], row: Walk['row']): Stage {
  const walk: Walk = { row }
  return { columns, walk: () => walk }
}

/** The raw rows as a flow. */
export function flowOf(table: Table): Flow {
  return {
    columns: table.columns,
    async *batches() {
      for await (const { start, rows } of table.batches())
        yield rows.map((cells, i) => ({ cells, id: start + i, synthetic: false }))
    },
  }
}

/** What comes out of a stage; `report` holds the counts of the latest walk. */
export function through(input: Flow, stage: Stage, report: StepReport): Flow {
  if (stage.weighed) report.weighed = stage.weighed
  return {
    columns: stage.columns,
    async *batches() {
      Object.assign(report, { before: 0, after: 0, changed: 0, removed: 0, added: 0 })
      const walk = stage.walk()
      for await (const rows of input.batches()) {
        const out: FlowRow[] = []
        for (const row of rows) {
          const made = walk.row(row, report.before++)
          if (made === null) report.removed++
          else if (isRows(made)) {
            report.added += made.length - 1
            if (made[0]!.cells !== row.cells) report.changed++
            out.push(...made)
          } else {
            if (made.cells !== row.cells) report.changed++
            out.push(made)
          }
        }
        report.after += out.length
        if (out.length > 0) yield out
      }
      const last = walk.end?.() ?? []
      report.added += last.length
      report.after += last.length
      if (last.length > 0) yield last
    },
  }
}

/** Walks all rows of a flow; `share` is what is done of the step when so many rows were seen. */
export async function eachRow(
  flow: Flow,
  { pause }: Pick<StepContext, 'pause'>,
  visit: (row: FlowRow, index: number) => void,
  share?: (rows: number) => number,
): Promise<number> {
  let index = 0
  for await (const rows of flow.batches()) {
    await pause(share?.(index))
    for (const row of rows) visit(row, index++)
  }
  return index
}

const isRows = (made: FlowRow | readonly FlowRow[]): made is readonly FlowRow[] => Array.isArray(made)
