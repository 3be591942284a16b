// The definition of correct: everything that the engine computes for the tiny models, against PyTorch + transformers +
// peft. One suite for every backend; who calls it has started the backend.
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decode as decodeTokens } from '../../src/core/generate/generate.ts'
import { inspectAttention, inspectLogits } from '../../src/core/explain/inspect.ts'
import { embeddings, inputGradient } from '../../src/core/explain/gradient.ts'
import { loadTransformer } from '../../src/core/models/load.ts'
import { recogniseModel } from '../../src/core/models/registry.ts'
import { memoryFile, openWeights } from '../../src/core/models/weights.ts'
import type { Family } from '../../src/core/models/architecture.ts'
import type { Transformer } from '../../src/core/models/transformer.ts'
import { SCORE_NAME } from '../../src/core/nn/adaptation.ts'
import type { Ops } from '../../src/core/ops/ops.ts'
import { ParameterStore, type InitialParameter } from '../../src/core/optim/parameters.ts'
import { storeAdaptation } from '../../src/core/adapters/lora.ts'
import { exampleBatch, lossAndGradients, readScalars, type Example } from '../../src/core/train/objective.ts'
import { Trainer, type TrainerState } from '../../src/core/train/trainer.ts'
import { Turns } from '../../src/core/turns.ts'
import type { AdapterConfig, HistoryEntry, TrainingConfig } from '../../src/protocol/run.ts'
import {
  decode,
  decodeAll,
  GOLDENS,
  GOLDEN_NAMES,
  modelBytes,
  relativeError,
  type CausalMicro,
  type ClassifyMicro,
  type GoldenTensors,
  type Trajectory,
} from './load.ts'

/** Agreement demanded of a single pass, and of thirty steps. */
const ONE_STEP = 1e-4
const TRAJECTORY = 1e-3

const examplesOf = (micro: CausalMicro | ClassifyMicro): Example[] =>
  micro.ids.map((ids, i) => {
    const labels = micro.labels[i]!
    return typeof labels === 'number' ? { ids, label: labels } : { ids, labels }
  })

const parametersOf = (tensors: GoldenTensors): InitialParameter[] =>
  [...decodeAll(tensors)].map(([name, { shape, values }]) => ({ name, shape, values, decay: true }))

const adapterConfig = (golden: { r: number; alpha: number }): AdapterConfig => ({
  method: 'lora',
  r: golden.r,
  alpha: golden.alpha,
  dropout: 0,
  targets: 'all-linear',
})

/** `names`: which tiny models; the slow backends take one. `steps`: of the trajectory. */
export function goldenSuite(title: string, ops: () => Ops, names = GOLDEN_NAMES, steps = 30): void {
  describe.each(names)(`${title}: %s`, (name) => {
    const golden = GOLDENS[name]
    let model: Transformer
    let family: Family
    let tensorsBefore: number

    beforeAll(async () => {
      tensorsBefore = tf.memory().numTensors
      const bytes = modelBytes(name)
      const recognised = recogniseModel(JSON.parse(new TextDecoder().decode(bytes.get('config.json'))))
      family = recognised.family
      model = await loadTransformer(
        family,
        recognised.architecture,
        await openWeights([memoryFile('model.safetensors', bytes.get('model.safetensors')!)]),
        ops(),
      )
    })
    afterAll(() => {
      model.dispose()
      expect(tf.memory().numTensors, 'tensors left behind').toBe(tensorsBefore)
    })

    const base = { adaptation: null, score: null }
    const pad = golden.config.pad_token_id

    /** Runs `work` with the golden adapter in a store. */
    async function withAdapter<T>(
      adapter: { r: number; alpha: number; tensors: GoldenTensors },
      work: (
        store: ParameterStore,
        trainable: { adaptation: ReturnType<typeof storeAdaptation>; score: tf.Tensor | null },
      ) => Promise<T>,
    ): Promise<T> {
      const store = new ParameterStore(model.ops, parametersOf(adapter.tensors))
      const trainable = {
        adaptation: storeAdaptation(store, adapterConfig(adapter)),
        score: store.has(SCORE_NAME) ? store.value(SCORE_NAME) : null,
      }
      try {
        return await work(store, trainable)
      } finally {
        store.dispose()
      }
    }

    it('logits of the base', async () => {
      for (const { ids, logits } of golden.base.sequences) {
        const ours = await inspectLogits(model, ids, base, pad)
        expect(ours.shape).toEqual(logits.shape)
        expect(relativeError(ours.logits, decode(logits))).toBeLessThan(ONE_STEP)
      }
    })

    it('logits with the adapter', async () => {
      await withAdapter(golden.causal.adapter, async (_, trainable) => {
        const { ids, logits } = golden.causal.sequence
        const ours = await inspectLogits(model, ids, trainable, pad)
        expect(relativeError(ours.logits, decode(logits))).toBeLessThan(ONE_STEP)
      })
    })

    it('attention of every layer and head', async () => {
      const { ids, weights } = golden.base.attention
      const ours = await inspectAttention(model, ids, base, pad)
      expect(relativeError(ours, decode(weights))).toBeLessThan(1e-5)
      const T = ids.length
      for (let row = 0; row < ours.length / T; row++) {
        const cells = ours.subarray(row * T, (row + 1) * T)
        expect(Math.abs(cells.reduce((sum, p) => sum + p, 0) - 1)).toBeLessThan(1e-5)
        expect(cells.subarray((row % T) + 1).every((p) => p === 0)).toBe(true)
      }
    })

    it('gradient of a logit with respect to the embeddings', async () => {
      // The engine explains the last position; the golden one is the last of its own sequence.
      const { ids, token, gradient, logit, embeddings: rows, position } = golden.base.saliency
      const x = await embeddings(model, ids.slice(0, position + 1))
      expect(relativeError(x, decode(rows).subarray(0, x.length))).toBeLessThan(1e-6)
      const ours = await inputGradient(model, x, token, base)
      expect(Math.abs(ours.logit - logit)).toBeLessThan(ONE_STEP * Math.max(1, Math.abs(logit)))
      expect(relativeError(ours.gradient, decode(gradient).subarray(0, x.length))).toBeLessThan(ONE_STEP)
    })

    it('gradient of a label with respect to the embeddings', async () => {
      await withAdapter(golden.classify.adapter, async (_, trainable) => {
        const { ids, label, gradient } = golden.classify.saliency
        const ours = await inputGradient(model, await embeddings(model, ids), label, trainable)
        expect(relativeError(ours.gradient, decode(gradient))).toBeLessThan(ONE_STEP)
      })
    })

    it('greedy decoding with a key-value cache', async () => {
      const { prompt, tokens } = golden.base.greedy
      const { ids } = await decodeTokens({
        model,
        adaptation: () => null,
        turns: new Turns(),
        prompt,
        maxTokens: tokens.length,
        endIds: new Set(),
        sampling: { temperature: 0, topK: 0, topP: 1, seed: 0 },
        onToken: () => false,
      })
      expect(ids).toEqual(tokens)
    })

    for (const task of ['causal', 'classify'] as const) {
      const { adapter, batch, trajectory } = golden[task]

      it(`${task}: loss and gradients`, async () => {
        await withAdapter(adapter, async (store, trainable) => {
          const examples = exampleBatch(examplesOf(batch), pad, model.architecture.context)
          const { loss, energy } = lossAndGradients(
            model,
            examples,
            trainable,
            1 / examples.labelCount,
            store.gradients,
          )
          examples.dispose()
          const flat = (await store.gradients.flat().data()) as Float32Array
          const [lossValue] = await readScalars([loss, energy])
          expect(Math.abs(lossValue! - batch.loss) / batch.loss).toBeLessThan(ONE_STEP)
          const expected = decodeAll(batch.gradients)
          expect(expected.size).toBe(store.slots.length)
          for (const slot of store.slots) {
            const ours = flat.subarray(slot.offset, slot.offset + slot.size)
            expect(relativeError(ours, expected.get(slot.name)!.values), slot.name).toBeLessThan(ONE_STEP)
          }
        })
      })

      it(`${task}: ${steps} steps of AdamW`, async () => {
        const { entries, state } = await follow(trajectory, adapter, task === 'classify' ? 3 : null)
        for (const [i, entry] of entries.entries()) {
          expect(
            Math.abs(entry.loss - trajectory.loss[i]!) / trajectory.loss[i]!,
            `loss of step ${i + 1}`,
          ).toBeLessThan(TRAJECTORY)
          expect(
            Math.abs(entry.gradNorm - trajectory.gradNorm[i]!) / trajectory.gradNorm[i]!,
            `norm of step ${i + 1}`,
          ).toBeLessThan(TRAJECTORY)
          expect(entry.learningRate).toBeCloseTo(trajectory.learningRate[i]!, 9)
        }
        expect(entries).toHaveLength(steps)
        if (steps < trajectory.hyper.steps) return
        for (const [tensor, { values }] of decodeAll(trajectory.final))
          expect(relativeError(state.parameters.values[tensor]!, values), tensor).toBeLessThan(TRAJECTORY)
      })
    }

    /** Trains through the real Trainer, with the golden's micro-batches as its rows. */
    async function follow(
      trajectory: Trajectory<CausalMicro | ClassifyMicro>,
      adapter: { r: number; alpha: number; tensors: GoldenTensors },
      labels: number | null,
    ) {
      const { hyper } = trajectory
      // One place of the source is one whole micro-batch of the golden, as those differ in size.
      const micros = trajectory.order.flat().map((index) => examplesOf(trajectory.micros[index]!))
      const training: TrainingConfig = {
        epochs: 1,
        steps: hyper.steps,
        batchSize: 1,
        accumulation: trajectory.order[0]!.length,
        learningRate: hyper.learningRate,
        schedule: 'linear',
        warmup: hyper.warmup,
        weightDecay: hyper.weightDecay,
        beta1: hyper.beta1,
        beta2: hyper.beta2,
        epsilon: hyper.epsilon,
        clip: hyper.clip,
        maxLength: 256,
        shuffle: false,
        seed: 0,
        validateEvery: 0,
        checkpointEvery: 0,
      }
      const entries: HistoryEntry[] = []
      let last: TrainerState | undefined
      const trainer = new Trainer({
        family,
        model,
        adapter: adapterConfig(adapter),
        training,
        labels,
        padId: pad,
        train: {
          rows: micros.length,
          get: (places) => Promise.resolve(places.flatMap((place) => micros[place]!)),
        },
        validation: null,
        turns: new Turns(),
        readEvery: 4,
        initial: parametersOf(adapter.tensors),
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
      trainer.dispose()
      return { entries: entries.slice(0, steps), state: last! }
    }
  })
}
