// First values: the distributions of A, principal components of large matrices, and that training begins at the base.
import { tensor2d } from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { baseValues } from '../../../src/core/adapters/baseValues.ts'
import { continuedParameters } from '../../../src/core/adapters/continued.ts'
import { initialParameters } from '../../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../../src/core/adapters/plan.ts'
import { principalComponents } from '../../../src/core/adapters/principal.ts'
import { singularRows } from '../../../src/core/adapters/svd.ts'
import { loraNames } from '../../../src/core/nn/adaptation.ts'
import type { FrozenMatrix } from '../../../src/core/ops/matrix.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { normals } from '../../../src/core/rng.ts'
import type { AdapterConfig } from '../../../src/protocol/run.ts'
import { loadTiny } from '../../golden/follow.ts'
import { relativeError } from '../../golden/load.ts'
import { startWasm } from './support.ts'
import { LORA } from './settings.ts'

beforeAll(startWasm)

const meanOf = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length

async function firstA(config: Partial<AdapterConfig>, seed = 1) {
  const { model, source } = await loadTiny('tiny-qwen2', opsFor('wasm'))
  const full = { ...LORA, r: 16, targets: ['down_proj'], ...config }
  const plan = planAdapter(model.family, model.architecture, full, null)
  const parameters = await initialParameters(plan, full, seed, baseValues(model, source))
  const names = loraNames(plan.layers[0]!.path)
  const values = new Map(parameters.map((each) => [each.name, each.values]))
  const inputs = plan.layers[0]!.shape[1]
  model.dispose()
  return { a: values.get(names.a)!, b: values.get(names.b)!, inputs }
}

describe('rates', () => {
  it.each([
    ['lora', [1, 16]],
    ['full', [1]],
    ['layers', [1]],
  ] as const)('LoRA+ is for factors: of %s they are %j', async (method, expected) => {
    const { model, source } = await loadTiny('tiny-gpt2', opsFor('wasm'))
    const config = { ...LORA, method, bias: 'all' as const, loraPlusRatio: 16 }
    const plan = planAdapter(model.family, model.architecture, config, null)
    const fresh = await initialParameters(plan, config, 1, baseValues(model, source))
    const tensors = fresh.map(({ name, shape, values }) => ({ name, shape, data: values }))
    const going = continuedParameters(plan, config, tensors)
    for (const parameters of [fresh, going])
      expect([...new Set(parameters.map(({ rate }) => rate))].sort()).toEqual(expected)
    expect(going).toEqual(fresh)
    model.dispose()
  })
})

describe('A', () => {
  it('is uniform in +-1 / sqrt(in), as kaiming_uniform with a = sqrt 5', async () => {
    const { a, b, inputs } = await firstA({})
    const bound = 1 / Math.sqrt(inputs)
    expect(b.every((value) => value === 0)).toBe(true)
    expect(Math.max(...a.map(Math.abs))).toBeLessThanOrEqual(bound)
    expect(Math.max(...a.map(Math.abs))).toBeGreaterThan(0.98 * bound)
    expect(Math.abs(meanOf(a))).toBeLessThan(0.08 * bound)
    // A uniform distribution has the variance bound^2 / 3.
    expect(meanOf(a.map((value) => value * value))).toBeCloseTo((bound * bound) / 3, 3)
  })

  it('is normal with the standard deviation 1 / r', async () => {
    const { a } = await firstA({ initLoraWeights: 'gaussian' })
    expect(Math.abs(meanOf(a))).toBeLessThan(0.1 / 16)
    expect(Math.sqrt(meanOf(a.map((value) => value * value)))).toBeCloseTo(1 / 16, 2)
    const beyond = a.filter((value) => Math.abs(value) > 1 / 16).length / a.length
    expect(Math.abs(beyond - 0.3173)).toBeLessThan(0.06)
  })

  it('follows the seed', async () => {
    const [one, again, other] = [await firstA({}, 4), await firstA({}, 4), await firstA({}, 5)]
    expect(again.a).toEqual(one.a)
    expect(other.a).not.toEqual(one.a)
  })
})

describe('principal components', () => {
  /** W [out, in] with known singular values: U diag(s) V^T of orthonormal U and V. */
  function known(out: number, inputs: number, values: number[]): FrozenMatrix {
    const orthonormal = (seed: number, length: number) =>
      singularRows(
        values.map((_, i) => Float64Array.from(normals({ seed, purpose: 'noise', step: i }, length))),
      ).right
    const left = orthonormal(1, out)
    const right = orthonormal(2, inputs)
    const w = new Float32Array(out * inputs)
    values.forEach((value, k) => {
      for (let o = 0; o < out; o++)
        for (let i = 0; i < inputs; i++)
          w[o * inputs + i] = w[o * inputs + i]! + value * left[k]![o]! * right[k]![i]!
    })
    return { kind: 'f32', shape: [out, inputs], data: tensor2d(w, [out, inputs]) }
  }

  it.each([
    ['exact', 40, 70],
    ['exact', 300, 60],
    ['randomised', 200, 310],
    ['randomised', 320, 180],
  ])('%s: [%i, %i]', async (_, out, inputs) => {
    // A spectrum that falls slowly, as that of trained weights does.
    const values = Array.from({ length: 40 }, (__, i) => 8 / (1 + 0.25 * i))
    const w = known(out, inputs, values)
    const found = await principalComponents(w, 6, opsFor('wasm'), { seed: 3, purpose: 'init' })
    expect(relativeError(found.values, values.slice(0, 6))).toBeLessThan(1e-3)
    // Each pair belongs together: W right = value left.
    const data = await (w as { data: { data(): Promise<Float32Array> } }).data.data()
    for (let k = 0; k < 6; k++) {
      const product = Array.from({ length: out }, (__, o) => {
        let sum = 0
        for (let i = 0; i < inputs; i++) sum += data[o * inputs + i]! * found.right[k]![i]!
        return sum
      })
      expect(
        relativeError(
          product,
          found.left[k]!.map((value) => value * found.values[k]!),
        ),
      ).toBeLessThan(0.03)
    }
  })
})
