// The definition of correct: everything that the engine computes for the tiny models, against PyTorch + transformers +
// peft. One suite for every backend; who calls it has started the backend.
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decode as decodeTokens } from '../../src/core/generate/generate.ts'
import { GREEDY } from '../../src/core/generate/sampler.ts'
import { inspectAttention, inspectLogits } from '../../src/core/explain/inspect.ts'
import { embeddings, inputGradient } from '../../src/core/explain/gradient.ts'
import { answerPosition } from '../../src/core/explain/subject.ts'
import type { Transformer } from '../../src/core/models/transformer.ts'
import { loraNames, savedName } from '../../src/core/nn/adaptation.ts'
import type { Ops } from '../../src/core/ops/ops.ts'
import { ParameterStore, type InitialParameter } from '../../src/core/optim/parameters.ts'
import { storeAdaptation } from '../../src/core/adapters/adaptation.ts'
import { planAdapter, type AdapterPlan } from '../../src/core/adapters/plan.ts'
import {
  exampleBatch,
  lossAndGradients,
  readScalars,
  type Trainable,
} from '../../src/core/train/objective.ts'
import { Turns } from '../../src/core/turns.ts'
import { examplesOf, follow, loadTiny } from './follow.ts'
import type { Checkpointing } from '../../src/protocol/run.ts'
import { defaultAdapter } from '../../src/protocol/settings.ts'
import {
  decode,
  decodeAll,
  FAMILY_NAMES,
  familyGolden,
  padIdOf,
  relativeError,
  type GoldenAdapter,
  type GoldenTensors,
} from './load.ts'

/** Agreement demanded of a single pass, and of thirty steps. */
const ONE_STEP = 1e-4
/** The two forms of GELU differ by no more than 1e-4 in the logits of tiny models: this tells them apart. */
const LOGITS = 2e-5
const TRAJECTORY = 1e-3

/** Ways to compute the same step. */
const WAYS: [string, { packing: boolean; checkpointing: Checkpointing }][] = [
  ['packed, everything kept', { packing: true, checkpointing: 'none' }],
  ['blocks computed again', { packing: false, checkpointing: 'block' }],
]

const parametersOf = (tensors: GoldenTensors): InitialParameter[] =>
  [...decodeAll(tensors)].map(([name, { shape, values }]) => ({ name, shape, values, decay: true, rate: 1 }))

const CLASSES = 3

/** On slow backends these are followed to the end, the other families for their first steps. */
const FOLLOWED_WHOLE: readonly string[] = ['tiny-llama', 'tiny-llama-odd', 'tiny-bert']
const FIRST_STEPS = 12

/** `names`: which tiny models. `trajectories`: whole ones of both tasks, or for slow backends of one task (the language
 *  model's, where there is one), of most families their first steps alone. */
export function goldenSuite(
  title: string,
  ops: () => Ops,
  names = FAMILY_NAMES,
  trajectories: 'both' | 'one' = 'both',
): void {
  describe.each(names)(`${title}: %s`, (name) => {
    const golden = familyGolden(name)
    const pad = padIdOf(golden)
    let model: Transformer
    let tensorsBefore: number
    /** Whether the checkpoint came without the layers that a classifier may take from it. */
    let bare: boolean

    beforeAll(async () => {
      tensorsBefore = tf.memory().numTensors
      ;({ model, bare } = await loadTiny(name, ops()))
    })
    afterAll(() => {
      model.dispose()
      expect(tf.memory().numTensors, 'tensors left behind').toBe(tensorsBefore)
    })

    const base: Trainable = { adaptation: null, classify: false }

    const planOf = ({ r, alpha }: GoldenAdapter, labels: number | null): AdapterPlan =>
      planAdapter(model.family, model.architecture, defaultAdapter({ r, alpha }), labels, bare)

    /** Runs `work` with the golden adapter in a store. */
    async function withAdapter<T>(
      adapter: GoldenAdapter,
      labels: number | null,
      work: (store: ParameterStore, trainable: Trainable) => Promise<T>,
    ): Promise<T> {
      const store = new ParameterStore(model.ops, parametersOf(adapter.tensors))
      const adaptation = storeAdaptation(store, planOf(adapter, labels))
      try {
        return await work(store, { adaptation, classify: labels !== null })
      } finally {
        store.dispose()
      }
    }

    it('logits of the base', async () => {
      for (const { ids, logits } of golden.base.sequences) {
        const ours = await inspectLogits(model, ids, base, pad)
        expect(ours.shape).toEqual(logits.shape)
        expect(relativeError(ours.logits, decode(logits))).toBeLessThan(LOGITS)
      }
    })

    it('names what peft adapts and saves', () => {
      for (const [task, labels] of [
        ['causal', null],
        ['classify', CLASSES],
      ] as const) {
        const adapter = golden[task]?.adapter
        if (!adapter) continue
        const plan = planOf(adapter, labels)
        if (adapter.modules)
          expect(plan.layers.map(({ path }) => path).sort()).toEqual([...adapter.modules].sort())
        const ours = [
          ...plan.layers.flatMap(({ path }) => [loraNames(path).a, loraNames(path).b]),
          ...plan.saved.map((saved) => savedName(saved.name)),
        ]
        expect(ours.sort()).toEqual(Object.keys(adapter.tensors).sort())
      }
    })

    it.runIf(golden.causal)('logits with the adapter', async () => {
      const { adapter, sequence } = golden.causal!
      await withAdapter(adapter, null, async (_, trainable) => {
        const ours = await inspectLogits(model, sequence.ids, trainable, pad)
        expect(relativeError(ours.logits, decode(sequence.logits))).toBeLessThan(ONE_STEP)
      })
    })

    it('logits of the classifier', async () => {
      const { adapter, batch } = golden.classify
      await withAdapter(adapter, CLASSES, async (_, trainable) => {
        const ours = []
        for (const ids of batch.ids) ours.push(...(await inspectLogits(model, ids, trainable, pad)).logits)
        expect(relativeError(ours, decode(batch.logits))).toBeLessThan(ONE_STEP)
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
        if (model.architecture.attention.causal)
          expect(cells.subarray((row % T) + 1).every((p) => p === 0)).toBe(true)
      }
    })

    it('gradient of a logit with respect to the embeddings', async () => {
      const { ids, token, gradient, logit, embeddings: rows, position } = golden.base.saliency
      const x = await embeddings(model, ids)
      expect(relativeError(x, decode(rows))).toBeLessThan(1e-6)
      const at = position ?? ids.length - 1
      const ours = await inputGradient(model, x, { index: token, contrast: null, position: at }, base)
      expect(Math.abs(ours.value - logit)).toBeLessThan(ONE_STEP * Math.max(1, Math.abs(logit)))
      expect(relativeError(ours.gradient, decode(gradient))).toBeLessThan(ONE_STEP)
    })

    it('gradient of a label with respect to the embeddings', async () => {
      await withAdapter(golden.classify.adapter, CLASSES, async (_, trainable) => {
        const { ids, label, gradient } = golden.classify.saliency
        const position = answerPosition({ model, trainable }, ids.length)
        const explained = { index: label, contrast: null, position }
        const ours = await inputGradient(model, await embeddings(model, ids), explained, trainable)
        expect(relativeError(ours.gradient, decode(gradient))).toBeLessThan(ONE_STEP)
      })
    })

    it.runIf(golden.base.greedy)('greedy decoding with a key-value cache', async () => {
      const { prompt, tokens } = golden.base.greedy!
      const { ids } = await decodeTokens({
        model,
        adaptation: () => null,
        turns: new Turns(),
        prompt,
        maxTokens: tokens.length,
        endIds: new Set(),
        sampling: GREEDY,
        onToken: () => false,
      })
      expect(ids).toEqual(tokens)
    })

    for (const task of ['causal', 'classify'] as const) {
      const section = golden[task]
      if (!section) continue
      const { adapter, batch, trajectory } = section
      const labels = task === 'classify' ? CLASSES : null

      it.each(WAYS)(`${task}: loss and gradients, %s`, async (_, { packing, checkpointing }) => {
        await withAdapter(adapter, labels, async (store, trainable) => {
          const { context } = model.architecture
          const examples = exampleBatch(examplesOf(batch), pad, context, model.family.classifier.row, packing)
          const { loss, energy } = lossAndGradients(
            model,
            examples,
            trainable,
            1 / examples.labelCount,
            store.gradients,
            checkpointing,
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

      const whole = trajectories === 'both' || FOLLOWED_WHOLE.includes(name)
      const steps = whole ? trajectory.hyper.steps : FIRST_STEPS
      const followed = trajectories === 'both' || task === (golden.causal ? 'causal' : 'classify')
      const ways = followed ? (trajectories === 'both' ? WAYS : WAYS.slice(0, 1)) : []
      it.each(ways)(`${task}: ${steps} steps of AdamW, %s`, async (_, way) => {
        const { entries, state } = await follow({
          model,
          plan: planOf(adapter, labels),
          initial: parametersOf(adapter.tensors),
          trajectory,
          labels,
          padId: pad,
          steps,
          ...way,
        })
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
        if (!whole) return
        for (const [tensor, { values }] of decodeAll(trajectory.final))
          expect(relativeError(state.parameters.values[tensor]!, values), tensor).toBeLessThan(TRAJECTORY)
      })
    }
  })
}
