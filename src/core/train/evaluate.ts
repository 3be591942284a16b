// Loss and predictions over many rows, a batch at a time, yielding to other work between batches.
import { argMax, dispose } from '@tensorflow/tfjs-core'
import { throwIfAborted } from '../../protocol/errors.ts'
import type { Transformer } from '../models/transformer.ts'
import type { Turns } from '../turns.ts'
import { evaluateBatch, exampleBatch, readScalars, type Example, type Trainable } from './objective.ts'
import { Rehearsals } from './rehearsal.ts'
import type { ExampleSource } from './trainer.ts'

export interface EvaluationSums {
  /** Sum of the cross-entropies, and the number of labels it is over. */
  loss: number
  labels: number
  /** Classifiers: rows predicted correctly, with each row's true and predicted class. */
  correct: number
  gold: number[]
  predicted: number[]
}

export interface EvaluateOptions {
  model: Transformer
  padId: number
  turns: Turns
  source: ExampleSource
  places: readonly number[]
  /** Asked anew for each batch: a live model may have moved on. */
  trainable: () => Trainable
  batchSize: number
  onBatch?: (rowsDone: number) => void
  signal?: AbortSignal
}

export async function evaluateExamples(options: EvaluateOptions): Promise<EvaluationSums> {
  const { source, places, batchSize, turns, signal } = options
  const rehearsals = new Rehearsals(options.model.ops)
  const sums: EvaluationSums = { loss: 0, labels: 0, correct: 0, gold: [], predicted: [] }
  for (let start = 0; start < places.length; start += batchSize) {
    throwIfAborted(signal)
    const examples = await source.get(places.slice(start, start + batchSize))
    await turns.take(() => addBatch(examples, options, rehearsals, sums))
    options.onBatch?.(Math.min(places.length, start + batchSize))
  }
  return sums
}

async function addBatch(
  examples: Example[],
  { model, padId, trainable, signal }: EvaluateOptions,
  rehearsals: Rehearsals,
  sums: EvaluationSums,
): Promise<void> {
  const batch = exampleBatch(examples, padId, model.architecture.context, model.family.classifier.row, true)
  if (batch.labelCount === 0) return batch.dispose()
  let result: ReturnType<typeof evaluateBatch>
  try {
    await rehearsals.before(
      [batch.tokens.batch, batch.tokens.length, batch.labels.size],
      () => {
        const { loss, logits } = evaluateBatch(model, batch, trainable(), 1)
        return logits ? [loss, logits] : [loss]
      },
      signal,
    )
    result = evaluateBatch(model, batch, trainable(), 1)
  } finally {
    batch.dispose()
  }
  const { loss, logits } = result
  sums.labels += batch.labelCount
  if (logits) {
    const best = argMax(logits, 1)
    const predicted = await best.data()
    dispose([best, logits])
    examples.forEach((example, i) => {
      if (!('label' in example)) return
      sums.gold.push(example.label)
      sums.predicted.push(predicted[i]!)
      if (example.label === predicted[i]) sums.correct++
    })
  }
  sums.loss += (await readScalars([loss]))[0]!
}
