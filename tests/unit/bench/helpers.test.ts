// The arithmetic and the words of the bench.
import { describe, expect, it } from 'vitest'
import { between, snapshot } from '../../../bench/counters.ts'
import { stepFlops } from '../../../bench/flops.ts'
import { readOptions } from '../../../bench/options.ts'
import { performancePage, REMARKS } from '../../../bench/performance.ts'
import { randomIds, randomWeights } from '../../../bench/randomWeights.ts'
import type { BenchResults, Beside } from '../../../bench/results.ts'
import { SHAPES } from '../../../bench/shapes.ts'
import { differences, median } from '../../../bench/statistics.ts'
import { bytes, flopRate, number, percent, table } from '../../../bench/table.ts'
import { targetRows } from '../../../bench/targets.ts'
import { recogniseModel } from '../../../src/core/models/registry.ts'
import { countParameters, tensorSpecs } from '../../../src/core/models/tensors.ts'

describe('statistics', () => {
  it('takes the middle, or the mean of the two in the middle', () => {
    expect(median([5, 1, 3])).toBe(3)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([])).toBeNaN()
    expect(differences([1, 4, 9])).toEqual([3, 5])
  })
})

describe('operations of a step', () => {
  const { family, architecture } = recogniseModel(SHAPES.tiny.config)

  it('are those of a count by hand', () => {
    // Width 64, MLP 160, 4 heads of 16, 2 of keys, 2 blocks, 256 tokens of vocabulary; 2 rows of 16 tokens, rank 4.
    const tokens = 2 * 16
    const weights = 64 * 64 + 32 * 64 + 32 * 64 + 64 * 64 + 160 * 64 + 160 * 64 + 64 * 160
    const edges = 128 + 96 + 96 + 128 + 224 + 224 + 224
    const pairs = 2 * ((16 * 17) / 2)
    const attention = 2 * pairs * 64
    const forward = 2 * tokens * weights + 2 * tokens * 4 * edges + 2 * attention
    const backward = 2 * tokens * weights + 4 * tokens * 4 * edges + 4 * attention
    const head = 2 * (2 * 15) * 256 * 64
    expect(stepFlops(family, architecture, { batch: 2, length: 16, r: 4 })).toEqual({
      forward: 2 * forward + head,
      backward: 2 * backward + head,
      recompute: 2 * forward,
    })
  })

  it('are about 4 a weight and token, and 2 more where blocks are computed again', () => {
    const smol = recogniseModel(SHAPES['smollm2-135m'].config)
    const size = { batch: 4, length: 256, r: 16 }
    const { forward, backward, recompute } = stepFlops(smol.family, smol.architecture, size)
    const each = countParameters(smol.family, smol.architecture) * 1024
    expect((forward + backward) / each).toBeGreaterThan(4)
    expect((forward + backward) / each).toBeLessThan(5)
    expect(recompute / each).toBeGreaterThan(1.5)
    expect(recompute / each).toBeLessThan(2)
  })
})

describe('random weights', () => {
  it('have every tensor of the shapes, the same values each time and in pieces', async () => {
    for (const name of ['tiny', 'nanogpt'] as const) {
      const { family, architecture } = recogniseModel(SHAPES[name].config)
      const source = randomWeights(family, architecture)
      for (const { name: tensor, shape, transposed } of tensorSpecs(family, architecture)) {
        expect(source.has(tensor)).toBe(true)
        expect(source.shape(tensor)).toEqual(transposed ? [...shape].reverse() : shape)
      }
    }
    const { family, architecture } = recogniseModel(SHAPES.tiny.config)
    const source = randomWeights(family, architecture)
    const name = 'model.layers.1.mlp.up_proj.weight'
    const whole = await source.read(name)
    expect(whole).toHaveLength(160 * 64)
    expect(await source.rows(name, 3, 5)).toEqual(whole.slice(3 * 64, 5 * 64))
    const spread = Math.sqrt(whole.reduce((sum, value) => sum + value * value, 0) / whole.length)
    expect(spread).toBeGreaterThan(0.018)
    expect(spread).toBeLessThan(0.022)
    expect(await source.read('model.norm.weight')).toEqual(new Float32Array(64).fill(1))
  })

  it('come with token ids below the vocabulary, as torch_lora.py makes them', () => {
    const ids = randomIds(2, 3, 100)
    // state = state * 1664525 + 1013904223 mod 2^32, from 12345; id = state * 100 / 2^32.
    let state = 12345n
    const expected = Array.from({ length: 6 }, () => {
      state = (state * 1664525n + 1013904223n) % 2n ** 32n
      return Number((state * 100n) >> 32n)
    })
    expect(ids.flat()).toEqual(expected)
  })
})

describe('words', () => {
  it('write numbers short', () => {
    expect([0.1, 3.14159, 99.96, 1234.5].map(number)).toEqual(['0.1', '3.14', '100', '1,235'])
    expect(number(null)).toBe('not measured')
    expect([12, 1500, 2.5e6, 0.9e9].map(bytes)).toEqual(['12 B', '1.5 kB', '2.5 MB', '900 MB'])
    expect([flopRate(2.5e9), flopRate(3.456e12)]).toEqual(['2.5 GFLOP/s', '3.46 TFLOP/s'])
    expect([percent(0.126), percent(null)]).toEqual(['13%', 'not measured'])
  })

  it('set tables in even columns', () => {
    expect(
      table(
        ['model', 'n'],
        [
          ['a', '1'],
          ['long name', '12345'],
        ],
      ),
    ).toBe(
      [
        '| model     |     n |',
        '| --------- | ----: |',
        '| a         |     1 |',
        '| long name | 12345 |',
      ].join('\n'),
    )
  })

  it('divide counts by the steps between', () => {
    const before = snapshot()
    expect(between(before, { ...before, dispatches: before.dispatches + 30 }, 10).dispatches).toBe(3)
  })

  it('refuse options that are not known', () => {
    expect(readOptions(['--quick', '--no-wasm', '--out', 'x.json'])).toMatchObject({
      quick: true,
      gpu: true,
      wasm: false,
      out: 'x.json',
    })
    expect(() => readOptions(['--fast'])).toThrow(TypeError)
  })
})

describe('targets', () => {
  const results: BenchResults = {
    date: '2026-01-02T03:04:05Z',
    command: 'npm run bench',
    from: [{ command: 'npm run bench -- --no-wasm', date: '2026-01-01T01:02:03Z' }],
    machine: 'one processor',
    gpu: null,
    wasm: {
      date: '2026-01-02T03:04:05Z',
      otherWork: [0, 0.1, 2],
      shape: 'graft-7m',
      tokens: 1024,
      graft: { seconds: [4, 2, 3], adapter: 'CPU' },
      torch: { seconds: [0.5, 0.6, 0.4], device: 'CPU', version: '2' },
    },
  }
  const wasmRow = (found: BenchResults) => targetRows(found).find(({ figure }) => figure.startsWith('wasm'))!

  it('say by how much they are missed, and what was not measured', () => {
    expect(wasmRow(results)).toMatchObject({
      target: '>= 0.3 x',
      measured: '0.167 x',
      reached: false,
      remark: 'missed by a factor of 1.8',
    })
    const busy = wasmRow({ ...results, wasm: { ...(results.wasm as Beside), otherWork: [1.5, 1.4] } })
    expect(busy).toMatchObject({ measured: 'not measured', reached: null })
    expect(busy.remark).toContain('1.45 processors busy')
    const failed = wasmRow({ ...results, wasm: { failed: 'no Chromium' } })
    expect(failed).toMatchObject({ measured: 'not measured', reached: null, remark: 'no Chromium' })
    expect(targetRows(results)[0]).toMatchObject({ measured: 'not measured', reached: null })
  })

  it('are written anew into the page, remarks are kept', () => {
    const page = performancePage(results, `old\n\n${REMARKS}\n\nBy hand.\n`)
    expect(page).toContain('missed by a factor of 1.8')
    expect(page).not.toContain('old')
    expect(page).toContain('measured by `npm run bench -- --no-wasm` (2026-01-01 01:02 UTC)')
    expect(page.endsWith(`${REMARKS}\n\nBy hand.\n`)).toBe(true)
  })
})
