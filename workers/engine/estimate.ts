// What a base would need on this device: for the badge, for models.estimate, and for the precision that it is loaded in.
import { weightBytes, estimateMemory, type MemoryBudget } from '../../src/core/train/memory.ts'
import { recogniseModel } from '../../src/core/models/registry.ts'
import type { Architecture, Family } from '../../src/core/models/architecture.ts'
import type { Task } from '../../src/protocol/data.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import {
  PRECISIONS,
  type EstimateRequest,
  type MemoryEstimate,
  type Precision,
} from '../../src/protocol/model.ts'
import type { Checkpointing, RunConfig } from '../../src/protocol/run.ts'
import { defaultAdapter, defaultTraining } from '../../src/protocol/settings.ts'

/** Classes of a classifier that nobody has counted yet. */
const DEFAULT_LABELS = 2

export interface Known {
  family: Family
  architecture: Architecture
}

/**
 * The estimate for a base with a request's settings; what is absent gets the defaults of a run.
 * Throws E_ARGUMENT naming the setting.
 */
export function estimateFor(
  { family, architecture }: Known,
  request: Omit<EstimateRequest, 'model'>,
  budget: MemoryBudget,
): MemoryEstimate {
  const task: Task = request.task ?? (architecture.kind === 'encoder' ? 'classify' : 'instruct')
  if (!family.tasks.includes(task))
    throw new GraftError(
      'E_ARGUMENT',
      `This model cannot be trained for "${task}". It can for: ${family.tasks.join(', ')}.`,
      { task },
    )
  if (request.precision !== undefined) checkPrecision(request.precision)
  const labels = request.labels ?? DEFAULT_LABELS
  if (!Number.isInteger(labels) || labels < 1)
    throw new GraftError('E_ARGUMENT', `labels must be a whole number from 1, but is ${labels}.`, { labels })
  const adapter = defaultAdapter(request.adapter)
  const { batchSize, maxLength, checkpointing } = defaultTraining(
    architecture,
    task,
    request.training,
    adapter.method,
  )
  return estimateMemory(
    family,
    architecture,
    { labels: task === 'classify' ? labels : null, adapter, batchSize, maxLength, checkpointing },
    request.precision,
    budget,
  )
}

/** What a run keeps for its backward pass on this device. */
export function checkpointingOf(
  { family, architecture }: Known,
  { adapter, training }: Pick<RunConfig, 'adapter' | 'training'>,
  labels: number | null,
  precision: Precision,
  budget: MemoryBudget,
): Checkpointing {
  return estimateMemory(family, architecture, { labels, adapter, ...training }, precision, budget)
    .checkpointing
}

/** The same from a parsed config.json, or null where Graft cannot use the model. */
export function estimateOfConfig(config: unknown, budget: MemoryBudget): MemoryEstimate | null {
  try {
    return estimateFor(recogniseModel(config), {}, budget)
  } catch (error) {
    if (error instanceof GraftError) return null
    throw error
  }
}

/** Throws E_ARGUMENT. */
export function checkPrecision(precision: unknown): asserts precision is Precision {
  if (!PRECISIONS.includes(precision as Precision))
    throw new GraftError(
      'E_ARGUMENT',
      `There is no precision "${String(precision)}". There are: ${PRECISIONS.join(', ')}.`,
      { precision: String(precision) },
    )
}

/** Bytes of a base on the device. */
export function bytesOf({ family, architecture }: Known, precision: Precision): number {
  return weightBytes(family, architecture, precision)
}
