// A trainer's state as the store keeps it, and back.
import type { TrainerState } from '../../src/core/train/trainer.ts'
import type { Slot } from '../../src/core/ops/ops.ts'
import { currentTuner, type TuningRecord } from '../../src/core/ops/webgpu/tuning/tuner.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { RunConfig } from '../../src/protocol/run.ts'
import type { CheckpointPayload } from '../../src/store/checkpoints.ts'
import type { ParameterSnapshot } from '../../src/core/optim/parameters.ts'
import type { TensorToWrite } from '../../src/formats/safetensors.ts'

const ROWS = ['values', 'firstMoments', 'secondMoments'] as const

/** Position, clock and configuration; the order of rows and all random numbers follow from the step and the seed. */
interface Meta {
  version: 1
  step: number
  seconds: number
  skippedRows: number
  shapes: Record<string, number[]>
  config: RunConfig
  /** How its kernels were set, on WebGPU: with others the run would go on with other roundings. */
  kernels?: TuningRecord
}

export function packState(state: TrainerState, slots: readonly Slot[], config: RunConfig): CheckpointPayload {
  const kernels = currentTuner()?.record
  const meta: Meta = {
    version: 1,
    step: state.step,
    seconds: state.seconds,
    skippedRows: state.skippedRows,
    shapes: shapesOf(slots),
    config,
    ...(kernels && { kernels }),
  }
  const tensors: Record<string, Float32Array> = {}
  for (const row of ROWS)
    for (const [name, values] of Object.entries(state.parameters[row])) tensors[`${row}/${name}`] = values
  return { meta, tensors }
}

export function loadSnapshot({ meta, tensors }: CheckpointPayload): {
  state: TrainerState
  shapes: Record<string, number[]>
  kernels: TuningRecord | undefined
} {
  const { version, step, seconds, skippedRows, shapes, kernels } = meta as Meta
  if (version !== 1)
    throw new GraftError('E_FORMAT', 'This checkpoint was saved by another version of Graft.')
  const part = (row: (typeof ROWS)[number]) =>
    Object.fromEntries(Object.keys(shapes).map((name) => [name, tensors[`${row}/${name}`]!]))
  return {
    state: {
      step,
      seconds,
      skippedRows,
      parameters: {
        values: part('values'),
        firstMoments: part('firstMoments'),
        secondMoments: part('secondMoments'),
      },
    },
    shapes,
    kernels,
  }
}

export function shapesOf(slots: readonly Pick<Slot, 'name' | 'shape'>[]): Record<string, number[]> {
  return Object.fromEntries(slots.map(({ name, shape }) => [name, shape]))
}

/** The values of a state as tensors with their shapes. */
export function stateTensors(
  { values }: ParameterSnapshot,
  shapes: Record<string, number[]>,
): TensorToWrite[] {
  return Object.entries(values).map(([name, data]) => ({ name, shape: shapes[name]!, data }))
}
