// Saliency on a tiny model: the property that defines each method.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, describe, expect, it } from 'vitest'
import { embeddings, inputGradient } from '../../../src/core/explain/gradient.ts'
import { saliency, type SaliencyOptions } from '../../../src/core/explain/saliency.ts'
import { loadTransformer } from '../../../src/core/models/load.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import type { Transformer } from '../../../src/core/models/transformer.ts'
import { memoryFile, openWeights } from '../../../src/core/models/weights.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
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

const explain = (change: Partial<SaliencyOptions>) =>
  saliency({
    model,
    turns: new Turns(),
    trainable: base,
    ids,
    method: 'gradientXInput',
    output: 9,
    padId: 3,
    ...change,
  })

describe('saliency', () => {
  it('the gradient agrees with central differences', async () => {
    const x = await embeddings(model, ids)
    const { gradient } = await inputGradient(model, x, 9, base)
    const largest = Math.max(...gradient.map(Math.abs))
    // Float32 logits limit the step; the largest elements are checked, where rounding matters least.
    const order = Array.from(gradient.keys()).sort((i, j) => Math.abs(gradient[j]!) - Math.abs(gradient[i]!))
    for (const i of order.slice(0, 12)) {
      const step = 1e-2
      const at = async (delta: number) => {
        const moved = x.slice()
        moved[i]! += delta
        return (await inputGradient(model, moved, 9, base)).logit
      }
      const numeric = ((await at(step)) - (await at(-step))) / (2 * step)
      expect(Math.abs(numeric - gradient[i]!) / largest).toBeLessThan(1e-2)
    }
  })

  it('gradient x input sums the products of each token', async () => {
    const x = await embeddings(model, ids)
    const { gradient, logit } = await inputGradient(model, x, 9, base)
    const result = await explain({})
    const d = x.length / ids.length
    result.scores.forEach((score, t) => {
      let sum = 0
      for (let i = t * d; i < (t + 1) * d; i++) sum += x[i]! * gradient[i]!
      expect(score).toBeCloseTo(sum, 4)
    })
    expect(result.logit).toBe(logit)
  })

  it('integrated gradients add up to the difference from the baseline', async () => {
    const { scores, logit, residual } = await explain({ method: 'integratedGradients' })
    const total = scores.reduce((sum, score) => sum + score, 0)
    const pad = await embeddings(
      model,
      ids.map(() => 3),
    )
    const { logit: baseline } = await inputGradient(model, pad, 9, base)
    expect(residual).toBeCloseTo(total - (logit - baseline), 5)
    expect(Math.abs(residual!)).toBeLessThan(1e-3 * Math.max(1, Math.abs(logit - baseline)))
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
