// A golden trajectory through the real Trainer, with the golden's micro-batches as its rows; and loading of a tiny model.
import type { AdapterPlan } from '../../src/core/adapters/plan.ts'
import { loadTransformer, type LoadSettings } from '../../src/core/models/load.ts'
import { recogniseModel } from '../../src/core/models/registry.ts'
import { storedName } from '../../src/core/models/tensors.ts'
import type { Transformer } from '../../src/core/models/transformer.ts'
import { memoryFile, openWeights, type WeightSource } from '../../src/core/models/weights.ts'
import type { Ops } from '../../src/core/ops/ops.ts'
import type { InitialParameter } from '../../src/core/optim/parameters.ts'
import type { Example } from '../../src/core/train/objective.ts'
import { Trainer, type TrainerState } from '../../src/core/train/trainer.ts'
import { Turns } from '../../src/core/turns.ts'
import type { Checkpointing, HistoryEntry, TrainingConfig } from '../../src/protocol/run.ts'
import { modelBytes, type CausalMicro, type ClassifyMicro, type FamilyName, type Trajectory } from './load.ts'

export interface TinyModel {
  model: Transformer
  source: WeightSource
  /** Whether the checkpoint came without the layers that a classifier may take from it. */
  bare: boolean
}

export async function loadTiny(name: FamilyName, ops: Ops, settings: LoadSettings = {}): Promise<TinyModel> {
  const bytes = modelBytes(name)
  const config: unknown = JSON.parse(new TextDecoder().decode(bytes.get('config.json')))
  const { family, architecture } = recogniseModel(config)
  const files = [...bytes].filter(([file]) => file.endsWith('.safetensors'))
  const source = await openWeights(files.map(([file, content]) => memoryFile(file, content)))
  const bare = family.classifier.layers.some(
    ({ base, path }) => base && storedName(family, source, `${path}.weight`) === null,
  )
  return { model: await loadTransformer(family, architecture, source, ops, settings), source, bare }
}

export const examplesOf = (micro: CausalMicro | ClassifyMicro): Example[] =>
  micro.ids.map((ids, i) => {
    const labels = micro.labels[i]!
    const weight = micro.weights && { weight: micro.weights[i]! }
    return { ids, ...(typeof labels === 'number' ? { label: labels } : { labels }), ...weight }
  })

export interface Followed {
  model: Transformer
  plan: AdapterPlan
  initial: InitialParameter[]
  trajectory: Trajectory<CausalMicro | ClassifyMicro>
  labels: number | null
  padId: number
  /** Ends after so many of the trajectory's steps. */
  steps?: number
  packing?: boolean
  labelSmoothing?: number
  checkpointing?: Checkpointing
  /** Whether steps are replayed where the ops can; default true. */
  recorded?: boolean
}

export async function follow(
  followed: Followed,
): Promise<{ entries: HistoryEntry[]; state: TrainerState; recorded: boolean }> {
  const { model, plan, initial, trajectory, labels, padId } = followed
  const { hyper } = trajectory
  const steps = followed.steps ?? hyper.steps
  // One place of the source is one whole micro-batch of the golden, as those differ in size.
  const micros = trajectory.order.flat().map((index) => examplesOf(trajectory.micros[index]!))
  const training: TrainingConfig = {
    epochs: 1,
    ...hyper,
    batchSize: 1,
    accumulation: trajectory.order[0]!.length,
    packing: followed.packing ?? false,
    checkpointing: 'auto',
    labelSmoothing: followed.labelSmoothing ?? 0,
    schedule: 'linear',
    maxLength: 256,
    shuffle: false,
    seed: 0,
    validateEvery: 0,
    checkpointEvery: 0,
    recordRows: false,
  }
  const entries: HistoryEntry[] = []
  let last: TrainerState | undefined
  const trainer = new Trainer({
    model,
    plan,
    initial,
    dropout: 0,
    training,
    checkpointing: followed.checkpointing ?? 'block',
    labels,
    padId,
    train: {
      rows: micros.length,
      get: (places) => Promise.resolve(places.flatMap((place) => micros[place]!)),
    },
    validation: null,
    turns: new Turns(),
    recorded: followed.recorded ?? true,
    readEvery: 4,
    hooks: {
      entries: (news) => {
        entries.push(...news)
        if (entries.length >= steps) trainer.stop()
      },
      validation: () => undefined,
      checkpoint: async (state) => {
        last = state
        return true
      },
    },
  })
  await trainer.run()
  const { recorded } = trainer
  trainer.dispose()
  return { entries: entries.slice(0, steps), state: last!, recorded }
}
