// Gradients where no golden reaches: DoRA and PiSSA with dropout, and at a strength, against finite differences.
import { clone, dispose, keep, tensor, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { loraNames, type LayerFactors } from '../../../src/core/nn/adaptation.ts'
import type { Pass } from '../../../src/core/nn/layer.ts'
import { Linear } from '../../../src/core/nn/linear.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { normals } from '../../../src/core/rng.ts'
import { startWasm } from './support.ts'

beforeAll(startWasm)

const [N, IN, OUT, R] = [5, 7, 6, 3]
const random = (seed: number, ...shape: number[]) =>
  Float32Array.from(
    normals(
      { seed, purpose: 'noise' },
      shape.reduce((a, b) => a * b, 1),
    ),
  )
const DROPOUT = { rate: 0.4, key: { seed: 1, purpose: 'dropout' as const, step: 2 } }

interface Given {
  x: Float32Array
  a: Float32Array
  b: Float32Array
  magnitude?: Float32Array
  start?: { a: Float32Array; b: Float32Array }
  dropout: boolean
  strength?: number
}

const PATH = 'model.layers.0.mlp.down_proj'
const W = random(1, OUT, IN)
const DY = random(2, N, OUT)

/** sum(dy * y), and the gradients by name. */
async function run(given: Given) {
  const { x, a, b, magnitude, start, dropout, strength } = given
  const factors: LayerFactors = {
    a: tensor(a, [R, IN]),
    b: tensor(b, [OUT, R]),
    scale: 0.7,
    ...(magnitude && { magnitude: tensor(magnitude, [OUT]) }),
    ...(start && { start: { a: tensor(start.a, [R, IN]), b: tensor(start.b, [OUT, R]) } }),
    ...(dropout && { dropout: DROPOUT }),
    ...(strength !== undefined && { strength }),
  }
  const linear = new Linear(PATH, { kind: 'f32', shape: [OUT, IN], data: tensor(W, [OUT, IN]) })
  const ops = opsFor('wasm')
  const pass = {
    ops,
    adaptation: { factors: () => factors, tensor: () => undefined, lowest: 0 },
  } as unknown as Pass
  const kept = new Map<string, Tensor>()
  tidy(() => {
    const traced = linear.trace(tensor(x, [N, IN]), pass)
    const sink = { add: (name: string, gradient: Tensor) => kept.set(name, keep(clone(gradient))) }
    kept.set('x', keep(clone(traced.back(tensor(DY, [N, OUT]), sink))))
    kept.set('y', keep(clone(traced.y)))
  })
  const gradients = new Map<string, Float32Array>()
  for (const [name, value] of kept) gradients.set(name, (await value.data()) as Float32Array)
  const y = gradients.get('y')!
  gradients.delete('y')
  dispose([...kept.values()])
  linear.dispose()
  return { loss: y.reduce((sum, value, i) => sum + value * DY[i]!, 0), y, gradients }
}

/** Largest difference between a gradient and central differences of the loss. */
async function error(
  given: Given,
  key: 'x' | 'a' | 'b' | 'magnitude',
  gradient: Float32Array,
): Promise<number> {
  const values = given[key]!
  const step = 1e-2
  let worst = 0
  for (let i = 0; i < values.length; i++) {
    const moved = (by: number) => run({ ...given, [key]: values.with(i, values[i]! + by) })
    const slope = ((await moved(step)).loss - (await moved(-step)).loss) / (2 * step)
    worst = Math.max(worst, Math.abs(slope - gradient[i]!))
  }
  return worst / Math.max(...gradient.map(Math.abs))
}

const names = loraNames(PATH)
const base = { x: random(3, N, IN), a: random(4, R, IN), b: random(5, OUT, R) }
const start = { a: random(6, R, IN), b: random(7, OUT, R) }

describe('PiSSA', () => {
  it.each([false, true])('dropout %s: every gradient', async (dropout) => {
    const given = { ...base, start, dropout }
    const { gradients } = await run(given)
    expect(await error(given, 'x', gradients.get('x')!)).toBeLessThan(2e-3)
    expect(await error(given, 'a', gradients.get(names.a)!)).toBeLessThan(2e-3)
    expect(await error(given, 'b', gradients.get(names.b)!)).toBeLessThan(2e-3)
    expect([...gradients.keys()].sort()).toEqual(['x', names.a, names.b].sort())
  })

  it('begins as the frozen layer', async () => {
    const plain = await run({ ...base, a: new Float32Array(R * IN), dropout: false })
    const begun = await run({ ...base, a: start.a, b: start.b, start, dropout: false })
    begun.y.forEach((value, i) => expect(value).toBeCloseTo(plain.y[i]!, 5))
  })
})

describe('DoRA', () => {
  // The norm counts as a constant, so A's and B's gradients are no slopes; peft's goldens have those.
  it.each([
    [false, undefined],
    [true, undefined],
    [false, 0.3],
  ])('dropout %s, strength %s: gradients of the input and of the magnitude', async (dropout, strength) => {
    const given = {
      ...base,
      magnitude: random(8, OUT).map((value) => 2 + value),
      dropout,
      ...(strength !== undefined && { strength }),
    }
    const { gradients } = await run(given)
    expect(await error(given, 'x', gradients.get('x')!)).toBeLessThan(2e-3)
    if (strength === undefined)
      expect(await error(given, 'magnitude', gradients.get(names.magnitude)!)).toBeLessThan(2e-3)
  })
})
