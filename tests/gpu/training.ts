// Runs of the real Trainer on tiny models, for tests that compare whole runs: rows of mixed lengths, every kind of training.
import type { Example } from '../../src/core/train/objective.ts'
import {
  Trainer,
  type TrainerHooks,
  type TrainerOptions,
  type TrainerState,
} from '../../src/core/train/trainer.ts'
import { baseValues } from '../../src/core/adapters/baseValues.ts'
import { initialParameters } from '../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../src/core/adapters/plan.ts'
import { Turns } from '../../src/core/turns.ts'
import type { AdapterConfig, HistoryEntry, TrainingConfig } from '../../src/protocol/run.ts'
import { defaultAdapter, defaultTraining } from '../../src/protocol/settings.ts'
import type { TinyModel } from '../golden/follow.ts'

export interface Training {
  adapter?: Partial<AdapterConfig>
  training?: Partial<TrainingConfig>
  options?: Partial<TrainerOptions>
  hooks?: (trainer: () => Trainer) => Partial<TrainerHooks>
  /** Three classes; or so many labels, null for text. */
  classify?: boolean
  labels?: number | null
  rows?: Example[]
}

/** Rows of different lengths, in three classes or as text of which all but the beginning is learnt. */
export const mixedRows = (count: number, classes: boolean, longest = 12): Example[] =>
  Array.from({ length: count }, (_, i) => {
    const ids = Array.from({ length: 3 + ((i * 5) % (longest - 2)) }, (_, t) => 5 + ((i * 31 + t * 17) % 50))
    return classes ? { ids, label: i % 3 } : { ids, labels: [-100, ...ids.slice(1)] }
  })

/** The same with a weight each, no two neighbours alike. */
export const weighted = (rows: Example[]): Example[] =>
  rows.map((row, i) => ({ ...row, weight: 0.3 * (1 + ((i * 7) % 11)) }))

export interface Trained {
  entries: HistoryEntry[]
  states: TrainerState[]
  final: TrainerState
  recorded: boolean
}

/** A trainer with its history and checkpoints. */
export async function trainerOn({ model, source }: TinyModel, given: Training = {}) {
  const labels = given.labels ?? (given.classify ? 3 : null)
  const classify = labels !== null
  const rows = given.rows ?? mixedRows(10, classify)
  const training = defaultTraining({ hidden: 32, context: 256 }, classify ? 'classify' : 'complete', {
    steps: 5,
    batchSize: 2,
    learningRate: 1e-2,
    checkpointEvery: 1000,
    ...given.training,
  })
  const adapter = defaultAdapter({ r: 4, alpha: 8, ...given.adapter })
  const plan = planAdapter(model.family, model.architecture, adapter, labels)
  const entries: HistoryEntry[] = []
  const states: TrainerState[] = []
  const trainer: Trainer = new Trainer({
    model,
    plan,
    initial: await initialParameters(plan, adapter, training.seed, baseValues(model, source)),
    dropout: adapter.dropout,
    training,
    checkpointing: 'block',
    labels,
    padId: 3,
    validation: null,
    turns: new Turns(),
    readEvery: 4,
    train: { rows: rows.length, get: (places) => Promise.resolve(places.map((place) => rows[place]!)) },
    hooks: {
      entries: (news) => void entries.push(...news),
      validation: () => undefined,
      checkpoint: (state) => Promise.resolve(states.push(state) > 0),
      ...given.hooks?.(() => trainer),
    },
    ...given.options,
  })
  return { trainer, entries, states }
}

export async function train(tiny: TinyModel, given: Training = {}): Promise<Trained> {
  const { trainer, entries, states } = await trainerOn(tiny, given)
  try {
    await trainer.run()
    return { entries, states, final: states.at(-1)!, recorded: trainer.recorded }
  } finally {
    trainer.dispose()
  }
}

/** What a step has taught of itself, times of day left out. */
export const numbersOf = ({ entries }: Pick<Trained, 'entries'>): number[][] =>
  entries.map(({ step, loss, gradNorm, learningRate }) => [step, loss, gradNorm, learningRate])
