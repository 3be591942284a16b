// Every way to adapt a model besides plain LoRA, against peft: DoRA, rsLoRA, LoRA+, PiSSA, patterns, chosen layers, biases,
// modules trained whole, rows with weights, and training without an adapter. Who calls the suite has started the backend.
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { storeAdaptation } from '../../src/core/adapters/adaptation.ts'
import { baseValues } from '../../src/core/adapters/baseValues.ts'
import { initialParameters } from '../../src/core/adapters/parameters.ts'
import { planAdapter, type AdapterPlan } from '../../src/core/adapters/plan.ts'
import { inspectLogits } from '../../src/core/explain/inspect.ts'
import { loraNames, savedName, startNames } from '../../src/core/nn/adaptation.ts'
import type { Ops } from '../../src/core/ops/ops.ts'
import { ParameterStore, type InitialParameter } from '../../src/core/optim/parameters.ts'
import {
  exampleBatch,
  lossAndGradients,
  readScalars,
  type Trainable,
} from '../../src/core/train/objective.ts'
import type { AdapterConfig } from '../../src/protocol/run.ts'
import { examplesOf, follow, loadTiny, type TinyModel } from './follow.ts'
import {
  decode,
  decodeAll,
  familyGolden,
  padIdOf,
  relativeError,
  VARIANTS,
  type GoldenTensors,
  type Variant,
} from './load.ts'

const ONE_STEP = 1e-4
const TRAJECTORY = 1e-3
const CLASSES = 3

export const TRAINED_VARIANTS = VARIANTS.filter(({ trajectory }) => trajectory !== undefined)

/** A variant's settings in our words. */
export function settingsOf({ adapter, method, loraPlusRatio = 1, task }: Variant): AdapterConfig {
  const peft = adapter?.config
  const whole = (peft?.modules_to_save ?? []).filter(
    (module) => task === 'causal' || !['classifier', 'score'].includes(module),
  )
  return {
    method,
    r: adapter?.r ?? 8,
    alpha: adapter?.alpha ?? 8,
    dropout: 0,
    targets: peft?.target_modules ?? 'all-linear',
    useRslora: peft?.use_rslora ?? false,
    useDora: peft?.use_dora ?? false,
    initLoraWeights: peft?.init_lora_weights === 'pissa' ? 'pissa' : true,
    loraPlusRatio,
    rankPattern: peft?.rank_pattern ?? {},
    alphaPattern: peft?.alpha_pattern ?? {},
    layersToTransform: peft?.layers_to_transform ?? null,
    modulesToSave: whole,
    bias: (peft?.bias ?? 'none') as AdapterConfig['bias'],
    topLayers: 1,
  }
}

export const planOf = (variant: Variant, { model, bare }: TinyModel): AdapterPlan =>
  planAdapter(
    model.family,
    model.architecture,
    settingsOf(variant),
    variant.task === 'causal' ? null : CLASSES,
    bare,
  )

/** Golden tensors by our names and in our orientation. */
export function oursOf(tensors: GoldenTensors, plan: AdapterPlan): Map<string, Float32Array> {
  const transposed = new Map(plan.saved.map((saved) => [savedName(saved.name), saved]))
  return new Map(
    [...decodeAll(tensors)].map(([theirs, { values }]) => {
      const plain = theirs.replace('.base_layer.', '.')
      const name = plain.startsWith('base_model.model.') ? plain : savedName(plain)
      const saved = transposed.get(name)
      return [name, saved?.transposed ? turned(values, saved.shape[0]!, saved.shape[1]!) : values]
    }),
  )
}

/** Stored [in, out] -> [out, in] */
function turned(values: Float32Array, out: number, inputs: number): Float32Array {
  return Float32Array.from(
    { length: values.length },
    (_, i) => values[(i % inputs) * out + Math.floor(i / inputs)]!,
  )
}

export function variantSuite(title: string, ops: () => Ops, variants = TRAINED_VARIANTS, steps = 30): void {
  describe.each(variants.map((variant) => [variant.name, variant] as const))(`${title}: %s`, (_, variant) => {
    const pad = padIdOf(familyGolden(variant.model))
    const labels = variant.task === 'causal' ? null : CLASSES
    const trajectory = variant.trajectory!
    const batch = variant.batch!
    const pissa = variant.products !== undefined
    const smoothing = variant.labelSmoothing && { smoothing: variant.labelSmoothing }
    let tiny: TinyModel
    let plan: AdapterPlan
    let own: InitialParameter[]
    let initial: InitialParameter[]
    let tensorsBefore: number

    beforeAll(async () => {
      tensorsBefore = tf.memory().numTensors
      const { precision, tables } = variant
      tiny = await loadTiny(variant.model, ops(), {
        ...(precision && { precision }),
        ...(tables && { tables }),
      })
      plan = planOf(variant, tiny)
      own = await initialParameters(plan, settingsOf(variant), 7, baseValues(tiny.model, tiny.source))
      const golden = oursOf(variant.adapter?.tensors ?? variant.initial!, plan)
      // PiSSA's first factors begin as what the trained ones begin as.
      const value = (name: string) => golden.get(name) ?? golden.get(trainedName(name))
      initial = own.map((parameter) => ({ ...parameter, values: value(parameter.name) ?? parameter.values }))
    })
    afterAll(() => {
      tiny.model.dispose()
      expect(tf.memory().numTensors, 'tensors left behind').toBe(tensorsBefore)
    })

    function withStore<T>(
      parameters: InitialParameter[],
      work: (trainable: Trainable, store: ParameterStore) => Promise<T>,
    ) {
      const store = new ParameterStore(tiny.model.ops, parameters)
      const trainable = { adaptation: storeAdaptation(store, plan), classify: labels !== null }
      return work(trainable, store).finally(() => store.dispose())
    }

    it('trains the tensors that peft trains, with its decay and rates', () => {
      const names = variant.trained?.map(savedName) ?? [...oursOf(variant.adapter!.tensors, plan).keys()]
      const trained = own.filter(({ rate }) => rate > 0)
      expect(trained.map(({ name }) => name).sort()).toEqual([...names].sort())
      const noDecay = new Set((trajectory.noDecay ?? []).map((name) => plainName(name)))
      expect(
        trained
          .filter(({ decay }) => !decay)
          .map(({ name }) => name)
          .sort(),
      ).toEqual([...noDecay].sort())
      for (const [name, rate] of Object.entries(variant.rates ?? {}))
        expect(own.find((parameter) => parameter.name === plainName(name))?.rate, name).toBeCloseTo(rate, 6)
    })

    it.runIf(variant.sequence)('logits with the starting adapter', async () => {
      const { ids, logits } = variant.sequence!
      await withStore(initial, async (trainable) => {
        const ours = await inspectLogits(tiny.model, ids, trainable, pad)
        expect(relativeError(ours.logits, decode(logits))).toBeLessThan(ONE_STEP)
      })
    })

    it.runIf(pissa)('begins with the principal components, and with the base itself', async () => {
      const byName = new Map(own.map(({ name, values }) => [name, values]))
      for (const [path, product] of decodeAll(variant.products!)) {
        const layer = plan.layers.find((each) => each.path === path)!
        const { a, b } = loraNames(path)
        expect(
          relativeError(scaledProduct(byName.get(a)!, byName.get(b)!, layer), product.values),
          path,
        ).toBeLessThan(ONE_STEP)
      }
      const { ids } = variant.sequence!
      const base = await inspectLogits(tiny.model, ids, { adaptation: null, classify: false }, pad)
      await withStore(own, async (trainable) => {
        const ours = await inspectLogits(tiny.model, ids, trainable, pad)
        expect(relativeError(ours.logits, base.logits)).toBeLessThan(1e-5)
      })
    })

    it('loss and gradients', async () => {
      await withStore(initial, async (trainable, store) => {
        const examples = exampleBatch(
          examplesOf(batch),
          pad,
          tiny.model.architecture.context,
          tiny.model.family.classifier.row,
          true,
        )
        const { loss, energy } = lossAndGradients(
          tiny.model,
          examples,
          { ...trainable, ...smoothing },
          1 / examples.labelWeight,
          store.gradients,
          'none',
        )
        examples.dispose()
        const flat = (await store.gradients.flat().data()) as Float32Array
        const [lossValue] = await readScalars([loss, energy])
        expect(Math.abs(lossValue! - batch.loss) / batch.loss).toBeLessThan(ONE_STEP)
        const slots = new Map(store.slots.map((slot) => [slot.name, slot]))
        const expected = oursOf(batch.gradients, plan)
        expect(expected.size).toBeGreaterThan(0)
        for (const [name, gradient] of expected) {
          const { offset, size } = slots.get(name)!
          expect(relativeError(flat.subarray(offset, offset + size), gradient), name).toBeLessThan(ONE_STEP)
        }
      })
    })

    it(`${Math.min(steps, trajectory.hyper.steps)} steps of AdamW`, async () => {
      const count = Math.min(steps, trajectory.hyper.steps)
      const { entries, state } = await follow({
        ...tiny,
        plan,
        initial,
        trajectory,
        labels,
        padId: pad,
        steps: count,
        ...(variant.labelSmoothing && { labelSmoothing: variant.labelSmoothing }),
      })
      expect(entries).toHaveLength(count)
      for (const [i, entry] of entries.entries()) {
        const near = (ours: number, theirs: number) => Math.abs(ours - theirs) / theirs
        expect(near(entry.loss, trajectory.loss[i]!), `loss of step ${i + 1}`).toBeLessThan(TRAJECTORY)
        expect(near(entry.gradNorm, trajectory.gradNorm[i]!), `norm of step ${i + 1}`).toBeLessThan(
          TRAJECTORY,
        )
        expect(entry.learningRate).toBeCloseTo(trajectory.learningRate[i]!, 9)
      }
      if (count < trajectory.hyper.steps) return
      const { values } = state.parameters
      for (const [name, final] of oursOf(trajectory.final, plan))
        expect(relativeError(values[name]!, final), name).toBeLessThan(TRAJECTORY)
      if (!variant.after) return
      for (const { name, rate, values: first } of initial) if (rate === 0) expect(values[name]).toEqual(first)
      const trained = initial.map((parameter) => ({ ...parameter, values: values[parameter.name]! }))
      await withStore(trained, async (trainable) => {
        const ours = await inspectLogits(tiny.model, variant.after!.ids, trainable, pad)
        expect(relativeError(ours.logits, decode(variant.after!.logits))).toBeLessThan(TRAJECTORY)
      })
    })

    /** The name of the factor that begins as the one of this name stays. */
    function trainedName(name: string): string {
      const layer = plan.layers.find(({ path }) => Object.values(startNames(path)).includes(name))
      if (!layer) return name
      return name === startNames(layer.path).a ? loraNames(layer.path).a : loraNames(layer.path).b
    }
  })
}

function plainName(name: string): string {
  const plain = name.replace('.base_layer.', '.')
  return plain.startsWith('base_model.model.') ? plain : savedName(plain)
}

/** s B A [out, in] */
function scaledProduct(
  a: Float32Array,
  b: Float32Array,
  { r, scale, shape: [out, inputs] }: AdapterPlan['layers'][number],
): Float32Array {
  return Float32Array.from({ length: out * inputs }, (_, at) => {
    let sum = 0
    for (let k = 0; k < r; k++) sum += b[Math.floor(at / inputs) * r + k]! * a[k * inputs + (at % inputs)]!
    return scale * sum
  })
}
