// A recipe over a table gives a table. Steps are chained as flows; those that must see all rows first walk their input when
// they are set up, so the memory needed is that of their plans and never that of the rows.
import { GraftError, throwIfAborted } from '../../protocol/errors.ts'
import { TRAINING_STEPS, type Recipe, type RecipeStep, type StepReport } from '../../protocol/recipe.ts'
import { pausing } from '../pause.ts'
import type { Table } from '../table.ts'
import { addRows } from './addRows.ts'
import { augment } from './augment.ts'
import { dedupeExact } from './dedupe.ts'
import { dedupeNear } from './dedupeNear.ts'
import { flowOf, through, type Flow, type FlowRow, type Stage, type StepContext } from './flow.ts'
import { mapLabels, resolveConflicts } from './labels.ts'
import { dropMissing, fillMissing } from './missing.ts'
import { mendEncoding } from './mojibake.ts'
import { normalise } from './normalise.ts'
import { rebalance } from './rebalance.ts'
import { redact } from './redact.ts'
import { replaceWords } from './replaceWords.ts'
import { chooseColumns, dropRows, edit, filter } from './select.ts'
import { stripHtml } from './stripHtml.ts'
import { derive, truncate } from './text.ts'
import { weigh } from './weigh.ts'

export interface CookOptions {
  /** Whether a raw row is in the training part; default: all are. */
  isTraining?: (id: number) => boolean
  /** Leaves out the steps on the training part: what is left is what a split is made of. */
  withoutTraining?: boolean
  signal?: AbortSignal
  /** Called before each step is set up, with its index. */
  onStep?: (index: number) => void
  /** How far setting up a step is, where that takes long. */
  onShare?: (index: number, share: number) => void
}

export interface Cooked {
  readonly columns: readonly string[]
  /** All rows; may be walked more than once. */
  batches(): AsyncIterable<readonly FlowRow[]>
  /** One a step, null for what did not run; complete once the rows were walked to their end. */
  readonly reports: readonly (StepReport | null)[]
}

/** Throws E_ARGUMENT with the step's number where a step does not fit the table, and E_ABORTED. */
export async function cook(source: Table, recipe: Recipe, options: CookOptions = {}): Promise<Cooked> {
  const { signal, isTraining = () => true } = options
  const salts = new Map<string, number>()
  const reports = recipe.steps.map((): StepReport | null => null)
  let flow = flowOf(source)
  for (const [index, step] of inOrder(recipe.steps)) {
    throwIfAborted(signal)
    // Counted before it is known whether the step runs, so that switching one off changes nothing of the others.
    const family = 'method' in step ? `${step.kind} ${step.method}` : step.kind
    const salt = salts.get(family) ?? 0
    salts.set(family, salt + 1)
    if (step.enabled === false || (options.withoutTraining && TRAINING_STEPS.has(step.kind))) continue
    options.onStep?.(index)
    const report: StepReport = { before: 0, after: 0, changed: 0, removed: 0, added: 0 }
    const context = {
      seed: recipe.seed,
      salt: saltOf(family, salt),
      isTraining,
      rows: source.rows,
      pause: pausing(signal, (share) => options.onShare?.(index, share)),
    }
    try {
      flow = through(flow, await stageOf(step, flow, context), report)
    } catch (error) {
      throw named(error, index, step)
    }
    reports[index] = report
  }
  return { columns: flow.columns, batches: () => flow.batches(), reports }
}

/** Weights are of the rows that come out: a label that is changed by hand afterwards must not keep the old one's weight. */
function inOrder(steps: readonly RecipeStep[]): [number, RecipeStep][] {
  const all = [...steps.entries()]
  return [
    ...all.filter(([, { kind }]) => kind !== 'weigh'),
    ...all.filter(([, { kind }]) => kind === 'weigh'),
  ]
}

/** The rows of a cooked recipe as a table, its columns' cells only. */
export function tableOf({ columns, batches }: Pick<Cooked, 'columns' | 'batches'>, rows: number): Table {
  return {
    columns,
    rows,
    async *batches() {
      let start = 0
      for await (const batch of batches()) {
        yield { start, rows: batch.map(({ cells }) => [...cells]) }
        start += batch.length
      }
    },
  }
}

function stageOf(step: RecipeStep, input: Flow, context: StepContext): Stage | Promise<Stage> {
  switch (step.kind) {
    case 'normalise':
      return normalise(step, input)
    case 'stripHtml':
      return stripHtml(step, input)
    case 'fixMojibake':
      return mendEncoding(step, input)
    case 'dropMissing':
      return dropMissing(step, input)
    case 'fillMissing':
      return fillMissing(step, input, context)
    case 'dedupeExact':
      return dedupeExact(step, input, context)
    case 'dedupeNear':
      return dedupeNear(step, input, context)
    case 'resolveConflicts':
      return resolveConflicts(step, input, context)
    case 'mapLabels':
      return mapLabels(step, input)
    case 'filter':
      return filter(step, input)
    case 'redact':
      return redact(step, input)
    case 'replaceWords':
      return replaceWords(step, input)
    case 'rebalance':
      return rebalance(step, input, context)
    case 'weigh':
      return weigh(step, input, context)
    case 'derive':
      return derive(step, input)
    case 'truncate':
      return truncate(step, input)
    case 'columns':
      return chooseColumns(step, input)
    case 'dropRows':
      return dropRows(step, input)
    case 'edit':
      return edit(step, input)
    case 'augment':
      return augment(step, input, context)
    case 'addRows':
      return addRows(step, input, context)
    default:
      return step satisfies never
  }
}

/** One number for a step's family and its place among its like. */
function saltOf(family: string, place: number): number {
  let salt = place + 1
  for (let i = 0; i < family.length; i++) salt = (Math.imul(salt, 31) + family.charCodeAt(i)) >>> 0
  return salt
}

function named(error: unknown, index: number, step: RecipeStep): unknown {
  if (!(error instanceof GraftError) || error.code !== 'E_ARGUMENT') return error
  return new GraftError('E_ARGUMENT', `Step ${index + 1} (${step.kind}): ${error.message}`, {
    ...error.details,
    step: index,
  })
}
