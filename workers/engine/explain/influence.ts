// graft.explain.influence: which training rows speak for an answer and which against it (core/explain/influence/tracin.ts).
import { continuedParameters } from '../../../src/core/adapters/continued.ts'
import {
  CheckpointGradients,
  type GradientOptions,
  type RowGradients,
} from '../../../src/core/explain/influence/gradients.ts'
import { randomSketch, type Sketch } from '../../../src/core/explain/influence/sketch.ts'
import { traced, type TracedCheckpoint } from '../../../src/core/explain/influence/tracin.ts'
import { scheduleFactor, warmupSteps } from '../../../src/core/optim/schedule.ts'
import { permutation } from '../../../src/core/rng.ts'
import { IGNORED, type Example } from '../../../src/core/train/objective.ts'
import { learnedCell, taskCells } from '../../../src/data/examples.ts'
import type { Dataset } from '../../../src/protocol/data.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type { ExplainInput, InfluenceRequest, InfluenceResult } from '../../../src/protocol/explain.ts'
import type { CallContext } from '../../../src/protocol/progress.ts'
import type { CheckpointInfo, Run } from '../../../src/protocol/run.ts'
import { readCheckpoint } from '../../../src/store/checkpoints.ts'
import { loadSnapshot, stateTensors } from '../checkpoint.ts'
import { checkIds } from '../questions.ts'
import type { DatasetRows } from '../rows.ts'
import { planOf } from '../runRequest.ts'
import type { ResolvedTarget } from '../targets.ts'
import { secondsLeft } from '../time.ts'
import { checkCount, checkSeed } from './checks.ts'
import { openSubject, withTarget, type Desk, type Explainer } from './desk.ts'
import { runOf, trainingRows } from './trainingRows.ts'

const ROWS = 200
const ROWS_LIMIT = 20_000
const PROJECTION = 512
const PROJECTION_LIMIT = 16_384
/** Characters of a row that are told with it. */
const TEXT_LENGTH = 600

/** What was found out for the rows of a checkpoint: the next answer about the same rows needs its own gradient alone. */
interface Remembered {
  key: string
  rows: RowGradients
}
const REMEMBERED_BYTES = 64 * 1024 * 1024
let remembered: Remembered[] = []

export const influence: Explainer<'influence'> = async (desk, target, request, context) => {
  const { rows: wanted = ROWS, projection = PROJECTION, seed = 0, indices } = request
  checkCount('rows', wanted, 1, ROWS_LIMIT)
  checkCount('projection', projection, 0, PROJECTION_LIMIT)
  checkSeed(seed)
  const run = await runOf(desk, target)
  const checkpoints = chosen(run, request.checkpoints)
  return withTarget(desk, target, async (resolved) => {
    const { dataset, source } = await trainingRows(desk, run, resolved.base.tokenizer)
    const answer = isAsked(request) ? await answerOf(desk, resolved, request) : null
    const places = indices ? placesOf(source, indices) : drawn(source.rows, wanted, seed)
    const all = await source.get(places)
    const kept = places.filter((_, i) => learns(all[i]!))
    const examples = all.filter(learns)
    const found = await trace(desk, resolved, run, checkpoints, {
      examples,
      answer: answer?.example ?? null,
      projection,
      seed,
      key: kept.join(),
      context,
    })
    const ranked = await told(source, dataset, run, kept, found)
    return {
      output: answer && answer.output,
      rows: ranked,
      of: source.rows,
      skipped: places.length - kept.length,
      checkpoints: checkpoints.map(({ id, step }) => ({ id, step, learningRate: rateAt(run, step) })),
      projection,
      seed,
      approximate: true,
    }
  })
}

function isAsked(request: InfluenceRequest): request is InfluenceRequest & ExplainInput {
  const { text, messages } = request as { text?: unknown; messages?: unknown }
  return text !== undefined || messages !== undefined
}

const learns = (example: Example): boolean =>
  'label' in example
    ? example.label >= 0 && example.ids.length > 0
    : example.labels.some((label, t) => t > 0 && label !== IGNORED)

/** The checkpoints of a run that are asked for. Throws E_NOT_FOUND. */
function chosen(run: Run, ids: string[] | undefined): CheckpointInfo[] {
  const found = (ids ?? run.checkpoints.map(({ id }) => id)).map((id) => {
    const checkpoint = run.checkpoints.find((each) => each.id === id)
    if (checkpoint) return checkpoint
    throw new GraftError(
      'E_NOT_FOUND',
      `"${run.config.name}" has no checkpoint "${id}". It has: ${run.checkpoints.map((each) => each.id).join(', ') || 'none'}.`,
      { run: run.id, id },
    )
  })
  if (found.length === 0)
    throw new GraftError(
      'E_NOT_FOUND',
      `"${run.config.name}" has no checkpoint, and influence is told from the gradients at checkpoints. Resume the run, or train again.`,
      { run: run.id },
    )
  return found
}

/** The learning rate of the step that led to a checkpoint; before the first one, that of the first that learns. */
function rateAt({ config: { training }, steps }: Run, step: number): number {
  const warmup = warmupSteps(training.warmup, steps)
  const k = Math.max(step - 1, warmup > 0 ? 1 : 0)
  return training.learningRate * scheduleFactor(training.schedule, k, steps, warmup)
}

/** The answer as an example, whose loss is what rows lower or raise. */
async function answerOf(
  desk: Desk,
  resolved: ResolvedTarget,
  request: InfluenceRequest & ExplainInput,
): Promise<{ example: Example; output: NonNullable<InfluenceResult['output']> }> {
  const { base, labels } = resolved
  if (request.answer !== undefined && labels)
    throw new GraftError('E_ARGUMENT', 'A classifier answers with a label: give it as output, not as answer.')
  const { subject, output } = await openSubject(desk, resolved, request, request)
  const ids = [...subject.ids]
  const { name, index } = output
  if (labels) return { example: { ids, label: index }, output: { name, index } }
  const added =
    request.answer === undefined ? [index] : base.tokenizer.encode(request.answer, { special: false })
  if (added.length === 0) throw new GraftError('E_ARGUMENT', 'The answer is empty. Write at least one word.')
  const whole = [...ids, ...added]
  checkIds(whole, base.model.architecture)
  const example = { ids: whole, labels: [...ids.map(() => IGNORED), ...added] }
  return { example, output: { name: request.answer ?? name, index: added[0]! } }
}

const drawn = (count: number, wanted: number, seed: number): number[] =>
  [...permutation({ seed, purpose: 'sample' }, count).subarray(0, wanted)].sort((a, b) => a - b)

function placesOf(source: DatasetRows, rows: readonly number[]): number[] {
  const places = new Map(Array.from(source.indices, (row, place) => [row, place]))
  checkCount('The number of indices', rows.length, 1, ROWS_LIMIT)
  return [...new Set(rows)].map((row) => {
    const place = places.get(row)
    if (place === undefined)
      throw new GraftError('E_ARGUMENT', `Row ${row} is not in the training part of this run.`, { row })
    return place
  })
}

interface Tracing {
  examples: Example[]
  answer: Example | null
  projection: number
  seed: number
  /** Says which rows. */
  key: string
  context: CallContext
}

async function trace(
  desk: Desk,
  { base }: ResolvedTarget,
  run: Run,
  checkpoints: readonly CheckpointInfo[],
  { examples, answer, projection, seed, key, context }: Tracing,
) {
  const plan = planOf(base, run.config, run.labels)
  const total = checkpoints.length * examples.length
  const started = performance.now()
  let done = 0
  const advance = (rows: number) => {
    done += rows
    context.progress({
      label: 'Following gradients of training rows',
      done,
      total,
      unit: 'rows',
      secondsLeft: secondsLeft(started, done, total),
    })
  }
  const exact = projection === 0
  const found: TracedCheckpoint[] = []
  let sketch: Sketch | null = null
  try {
    for (const { id, step, createdAt } of checkpoints) {
      const { state, shapes } = loadSnapshot(await readCheckpoint(desk.store, run.id, id))
      const options: GradientOptions = {
        model: base.model,
        plan,
        parameters: continuedParameters(plan, run.config.adapter, stateTensors(state.parameters, shapes)),
        classify: run.labels !== null,
        padId: base.padId,
        turns: desk.turns,
        signal: context.signal,
      }
      const at = new CheckpointGradients(options)
      try {
        const learningRate = rateAt(run, step)
        if (exact && answer) {
          found.push({
            learningRate,
            rows: await at.products(examples, answer, () => advance(1)),
            answer: null,
          })
          continue
        }
        sketch ??= randomSketch(at.size, Math.max(1, projection), seed)
        const stamp = `${run.id} ${id} ${createdAt} ${base.info.precision} ${sketch.size} ${seed} ${key}`
        const known = recall(stamp)
        const rows = known ?? (await at.sketches(examples, sketch, () => advance(1)))
        if (known) advance(examples.length)
        else remember({ key: stamp, rows })
        const own = answer && (await at.sketches([answer], sketch))
        found.push({ learningRate, rows, answer: own && own.numbers })
      } finally {
        at.dispose()
      }
    }
  } finally {
    sketch?.dispose()
  }
  return traced(found, exact && answer !== null)
}

function recall(key: string): RowGradients | undefined {
  return remembered.find((each) => each.key === key)?.rows
}

function remember(fresh: Remembered): void {
  remembered = [fresh, ...remembered]
  let bytes = 0
  remembered = remembered.filter(({ rows }) => (bytes += rows.numbers.byteLength) <= REMEMBERED_BYTES)
}

/** The rows as they are told, ranked. */
async function told(
  source: DatasetRows,
  dataset: Dataset,
  { taskConfig }: Run,
  places: readonly number[],
  { influence: found, self }: ReturnType<typeof traced>,
): Promise<InfluenceResult['rows']> {
  const { indices } = source
  const columns = dataset.columns.map(({ name }) => name)
  const cellsOf = taskCells(taskConfig, columns)
  const learned = learnedCell(taskConfig)
  const cells = await source.cells(places)
  const rows = places.map((place, i) => {
    const cell = cellsOf(cells[i]!)
    const classify = taskConfig.task === 'classify'
    const text = classify ? cell.text : cell.prompt || cell[learned]
    const label = classify ? cell.label.trim() : cell.prompt ? cell[learned] : ''
    return {
      row: indices[place]!,
      influence: found ? found[i]! : null,
      self: self[i]!,
      text: text.slice(0, TEXT_LENGTH),
      label: label.slice(0, TEXT_LENGTH),
    }
  })
  return rows.sort((a, b) => (found ? b.influence! - a.influence! : b.self - a.self) || a.row - b.row)
}
