// Saliency on a tiny model: the property that defines each method.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, describe, expect, it } from 'vitest'
import { embeddings, inputGradient } from '../../../src/core/explain/gradient.ts'
import { saliency, type SaliencyOptions } from '../../../src/core/explain/saliency.ts'
import { normals } from '../../../src/core/rng.ts'
import { loadTransformer } from '../../../src/core/models/load.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import type { Transformer } from '../../../src/core/models/transformer.ts'
import { memoryFile, openWeights } from '../../../src/core/models/weights.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import type { Subject } from '../../../src/core/explain/subject.ts'
import { Turns } from '../../../src/core/turns.ts'
import { modelBytes } from '../../golden/load.ts'

const ids = [12, 40, 7, 55, 31]
const base = { adaptation: null, classify: false }
let model: Transformer

beforeAll(async () => {
  await tf.setBackend('cpu')
  const bytes = modelBytes('tiny-llama')
  const { family, architecture } = recogniseModel(
    JSON.parse(new TextDecoder().decode(bytes.get('config.json'))),
  )
  model = await loadTransformer(
    family,
    architecture,
    await openWeights([memoryFile('model', bytes.get('model.safetensors')!)]),
    opsFor('cpu'),
  )
})

const explained = { index: 9, contrast: null, position: ids.length - 1 }
const subject = (change: Partial<Subject> = {}): Subject => ({
  model,
  turns: new Turns(),
  trainable: base,
  ids,
  explained,
  fixed: new Uint8Array(ids.length),
  padId: 3,
  maskId: null,
  ...change,
})
const explain = (change: Partial<SaliencyOptions>) =>
  saliency(subject(), { method: 'gradientXInput', ...change })

describe('saliency', () => {
  it('the gradient agrees with central differences', async () => {
    const x = await embeddings(model, ids)
    const { gradient } = await inputGradient(model, x, explained, base)
    const largest = Math.max(...gradient.map(Math.abs))
    // Float32 logits limit the step; the largest elements are checked, where rounding matters least.
    const order = Array.from(gradient.keys()).sort((i, j) => Math.abs(gradient[j]!) - Math.abs(gradient[i]!))
    for (const i of order.slice(0, 12)) {
      const step = 1e-2
      const at = async (delta: number) => {
        const moved = x.slice()
        moved[i]! += delta
        return (await inputGradient(model, moved, explained, base)).value
      }
      const numeric = ((await at(step)) - (await at(-step))) / (2 * step)
      expect(Math.abs(numeric - gradient[i]!) / largest).toBeLessThan(1e-2)
    }
  })

  it('along itself and across, the gradient agrees with central differences to a thousandth', async () => {
    const x = await embeddings(model, ids)
    const { gradient } = await inputGradient(model, x, explained, base)
    const length = Math.hypot(...gradient)
    const noise = normals({ seed: 3, purpose: 'noise' }, x.length)
    for (const direction of [
      gradient.map((g) => g / length),
      noise.map((n, i) => n / 12 + gradient[i]! / length),
    ]) {
      const at = async (step: number) =>
        (
          await inputGradient(
            model,
            x.map((element, i) => element + step * direction[i]!),
            explained,
            base,
          )
        ).value
      const exact = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0)
      // Fourth order: the step may be large enough for float32 logits.
      const numeric =
        (8 * ((await at(5e-3)) - (await at(-5e-3))) - ((await at(1e-2)) - (await at(-1e-2)))) / 6e-2
      expect(Math.abs(numeric - exact) / Math.abs(exact)).toBeLessThan(1e-3)
    }
  })

  it('gradient x input sums the products of each token', async () => {
    const x = await embeddings(model, ids)
    const { gradient, value } = await inputGradient(model, x, explained, base)
    const result = await explain({})
    const d = x.length / ids.length
    result.scores.forEach((score, t) => {
      let sum = 0
      for (let i = t * d; i < (t + 1) * d; i++) sum += x[i]! * gradient[i]!
      expect(score).toBeCloseTo(sum, 4)
    })
    expect(result.value).toBe(value)
  })

  it('integrated gradients add up to the difference from the baseline', async () => {
    const { scores, value, residual } = await explain({ method: 'integratedGradients' })
    const total = scores.reduce((sum, score) => sum + score, 0)
    const pad = await embeddings(
      model,
      ids.map(() => 3),
    )
    const { value: baseline } = await inputGradient(model, pad, explained, base)
    expect(residual).toBeCloseTo(total - (value - baseline), 5)
    expect(Math.abs(residual!)).toBeLessThan(1e-3 * Math.max(1, Math.abs(value - baseline)))
  })

  it('SmoothGrad is reproducible, and differs between seeds', async () => {
    const [a, b, c] = [
      await explain({ method: 'smoothGrad', seed: 1 }),
      await explain({ method: 'smoothGrad', seed: 1 }),
      await explain({ method: 'smoothGrad', seed: 2 }),
    ]
    expect(b.scores).toEqual(a.scores)
    expect(c.scores).not.toEqual(a.scores)
    expect(a.scores.every((score) => score >= 0)).toBe(true)
  })

  it('an aborted question ends with E_ABORTED and frees its tensors', async () => {
    const before = tf.memory().numTensors
    const controller = new AbortController()
    const question = explain({
      method: 'integratedGradients',
      signal: controller.signal,
      onPass: (done) => done === 3 && controller.abort(),
    })
    await expect(question).rejects.toMatchObject({ code: 'E_ABORTED' })
    expect(tf.memory().numTensors).toBe(before)
  })
})
