// Saliency held to what Captum says of tiny models (tools/golden/saliency.py), and to closed forms.
import { readFileSync } from 'node:fs'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { inputGradient } from '../../../src/core/explain/gradient.ts'
import { saliency, type SaliencyOptions } from '../../../src/core/explain/saliency.ts'
import { answerPosition, type Subject } from '../../../src/core/explain/subject.ts'
import type { Transformer } from '../../../src/core/models/transformer.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import type { Trainable } from '../../../src/core/train/objective.ts'
import { Turns } from '../../../src/core/turns.ts'
import { beside, CASES, load, startWasm } from '../adapters/support.ts'

interface Integrated {
  scores: number[]
  delta: number
  residual: number
}
interface Case {
  ids: number[]
  pad: number
  seed: number
  explained: {
    output: number
    contrast: number | null
    value: number
    gradientNorm: number[]
    gradientXInput: number[]
    smoothGrad: number[]
    integratedGradients: { pad: Integrated; zero: Integrated }
  }[]
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/saliency.json', import.meta.url), 'utf8'),
) as Record<string, Case>

beforeAll(startWasm)

const total = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0)

describe.each(Object.entries(golden))('Captum on %s', (name, { ids, pad, seed, explained }) => {
  const [base, task] = name.split(' ') as [string, 'classify' | undefined]

  it('norms, gradient x input, SmoothGrad and integrated gradients, of an output and of a contrast', async () => {
    const loaded = await load(CASES.find(({ title }) => title === `${base}-classify`)!)
    const { model } = loaded.tiny
    const within = (work: (trainable: Trainable) => Promise<void>) =>
      task ? beside(loaded, 1, work) : work({ adaptation: null, classify: false })
    await within(async (trainable) => {
      for (const { output, contrast, value, integratedGradients, ...theirs } of explained) {
        const position = answerPosition({ model, trainable }, ids.length)
        const subject: Subject = {
          model,
          trainable,
          turns: new Turns(),
          ids,
          padId: pad,
          maskId: null,
          fixed: new Uint8Array(ids.length),
          explained: { index: output, contrast, position },
        }
        /** Largest difference, relative to what the scores are shares of. */
        const check = async (options: SaliencyOptions, scores: number[], share: number) => {
          const found = await saliency(subject, { ...options, seed })
          expect(Math.abs(found.value - value)).toBeLessThan(1e-4)
          scores.forEach((score, t) =>
            expect(
              Math.abs(found.scores[t]! - score) / Math.max(1, Math.abs(share)),
              options.method,
            ).toBeLessThan(1e-3),
          )
          return found
        }
        for (const method of ['gradientNorm', 'gradientXInput', 'smoothGrad'] as const)
          await check({ method }, theirs[method], 1)
        for (const baseline of ['pad', 'zero'] as const) {
          const { scores, delta } = integratedGradients[baseline]
          const found = await check({ method: 'integratedGradients', baseline }, scores, delta)
          expect(Math.abs(total(found.scores) - delta - found.residual!)).toBeLessThan(1e-3)
        }
        // From the default baseline the scores add up, also where Captum's 50 points leave 0.002.
        const { delta } = integratedGradients.pad
        const { residual } = await saliency(subject, { method: 'integratedGradients' })
        expect(Math.abs(residual!)).toBeLessThan(1e-3 * Math.max(1, Math.abs(delta)))
      }
    })
    model.dispose()
  }, 30_000)
})

/**
 * A model of which the gradient can be written down: the tokens [T, d] are mixed into the row that is read with `mixing`
 * [T], that row's product with `direction` is s, and the two outputs are s + 2 and s^2.
 */
function formula(table: number[][], mixing: number[], direction: number[]): Transformer {
  const same = (y: tf.Tensor) => ({ y, back: (dy: tf.Tensor) => dy })
  const column = tf.tensor2d(direction, [direction.length, 1])
  const mixed = tf.tensor2d(mixing, [1, mixing.length])
  const spread = tf.tensor2d(
    mixing.map((_, t) => (t === mixing.length - 1 ? mixing : mixing.map((__, i) => Number(i === t)))),
  )
  mixed.dispose()
  return {
    architecture: { hidden: direction.length },
    ops: opsFor('wasm'),
    rows: (ids: tf.Tensor) => tf.tensor2d(Array.from(ids.dataSync(), (id) => table[id]!)),
    pass: () => ({}),
    enter: same,
    forwardAndBack: (x: tf.Tensor2D) => ({
      y: tf.matMul(spread, x),
      back: (dy: tf.Tensor2D) => tf.matMul(spread, dy, true),
    }),
    final: same,
    parts: {
      classifier: {
        trace: (n: tf.Tensor2D) => {
          const s = tf.matMul(n, column) // [1, 1]
          return {
            y: tf.concat([tf.add(s, 2), tf.square(s)], 1),
            back: (dy: tf.Tensor2D) =>
              tf.matMul(
                tf.matMul(dy, tf.concat([tf.onesLike(s), tf.mul(s, 2)], 0) as tf.Tensor2D),
                column,
                false,
                true,
              ),
          }
        },
      },
    },
  } as unknown as Transformer
}

describe('closed forms', () => {
  const table = [
    [1, -2, 0.5],
    [0.25, 3, -1],
    [-1.5, 0.5, 2],
    [0.5, 0.5, 0.5],
    [0, 0, 0],
  ]
  const mixing = [0.5, -1, 2]
  const direction = [1, 0.5, -2]
  const along = (row: number[]) => row.reduce((sum, x, i) => sum + x * direction[i]!, 0)
  const of = (
    ids: number[],
    options: SaliencyOptions,
    explained: { index?: number; contrast?: number } = {},
  ) =>
    saliency(
      {
        model: formula(table, mixing, direction),
        trainable: { adaptation: null, classify: true },
        turns: new Turns(),
        ids,
        padId: 3,
        maskId: 4,
        fixed: new Uint8Array(3),
        explained: { index: 0, contrast: null, position: 2, ...explained },
      },
      options,
    )
  const ids = [0, 1, 2]
  const parts = ids.map((id, t) => mixing[t]! * along(table[id]!))
  const s = total(parts)

  it('of a linear f, gradient x input is each token’s part, and adds up to f(x) - f(0)', async () => {
    const { scores, value } = await of(ids, { method: 'gradientXInput' })
    expect([...scores]).toEqual(parts.map((part) => expect.closeTo(part, 5)))
    expect(total(scores)).toBeCloseTo(value - 2, 5)
    const { scores: norms } = await of(ids, { method: 'gradientNorm' })
    expect([...norms]).toEqual(mixing.map((m) => expect.closeTo(Math.abs(m) * Math.hypot(...direction), 5)))
  })

  it('integrated gradients of a square and of a contrast are their closed forms; two points are enough', async () => {
    const [zero, pad] = [0, total(mixing.map((m) => m * along(table[3]!)))]
    for (const [baseline, from] of [
      ['zero', zero],
      ['pad', pad],
      ['mask', zero],
    ] as const) {
      const square = (t: number) =>
        (parts[t]! - (baseline === 'pad' ? mixing[t]! * along(table[3]!) : 0)) * (s + from)
      const found = await of(ids, { method: 'integratedGradients', samples: 2, baseline }, { index: 1 })
      expect([...found.scores]).toEqual(ids.map((_, t) => expect.closeTo(square(t), 3)))
      expect(Math.abs(found.residual!)).toBeLessThan(1e-4)
      const contrast = await of(
        ids,
        { method: 'integratedGradients', samples: 2, baseline },
        { index: 1, contrast: 0 },
      )
      const line = (t: number) => square(t) / (s + from)
      expect([...contrast.scores]).toEqual(ids.map((_, t) => expect.closeTo(square(t) - line(t), 3)))
    }
  })

  it('a text that is the baseline has nothing to explain', async () => {
    const found = await of([3, 3, 3], { method: 'integratedGradients' }, { index: 1 })
    expect([...found.scores]).toEqual([0, 0, 0])
    expect(found.residual).toBe(0)
  })

  it('SmoothGrad without noise is the norm of the gradient; with noise it is the mean over its draws', async () => {
    const plain = await of(ids, { method: 'gradientNorm' }, { index: 1 })
    const still = await of(ids, { method: 'smoothGrad', noise: 0 }, { index: 1 })
    still.scores.forEach((score, t) => expect(score).toBeCloseTo(plain.scores[t]!, 5))
    const noisy = await of(ids, { method: 'smoothGrad' }, { index: 1 })
    expect(noisy.scores).not.toEqual(still.scores)
    // |2 s(x + noise)|: the same factor for every token.
    noisy.scores.forEach((score, t) =>
      expect(score / noisy.scores[0]!).toBeCloseTo(Math.abs(mixing[t]! / mixing[0]!), 4),
    )
  })

  it('the gradient of the tiny formula is that of central differences', async () => {
    const model = formula(table, mixing, direction)
    const trainable = { adaptation: null, classify: true }
    const explained = { index: 1, contrast: 0, position: 2 }
    const x = Float32Array.from(ids.flatMap((id) => table[id]!))
    const { gradient } = await inputGradient(model, x, explained, trainable)
    for (let i = 0; i < x.length; i++) {
      const at = async (step: number) =>
        (await inputGradient(model, x.with(i, x[i]! + step), explained, trainable)).value
      const numeric = ((await at(1e-2)) - (await at(-1e-2))) / 2e-2
      expect(Math.abs(numeric - gradient[i]!)).toBeLessThan(1e-3 * Math.max(1, Math.abs(numeric)))
    }
  })
})
