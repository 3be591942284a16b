// Which tensors of a recorded step share a buffer, and how much the estimate takes them to need.
import { describe, expect, it } from 'vitest'
import { leastBytes, shareBuffers, type Lifetime } from '../../../src/core/ops/webgpu/sharing.ts'
import { held } from '../../../src/core/train/recordedMemory.ts'
import { uniforms } from '../../../src/core/rng.ts'

const at = (bytes: number, first: number, last: number): Lifetime => ({ bytes, first, last })

function check(tensors: Lifetime[]) {
  const { sizes, places } = shareBuffers(tensors)
  tensors.forEach((a, i) => {
    expect(sizes[places[i]!]).toBeGreaterThanOrEqual(a.bytes)
    tensors.slice(0, i).forEach((b, j) => {
      if (a.first <= b.last && b.first <= a.last) expect(places[i]).not.toBe(places[j])
    })
  })
  expect([...sizes].sort((a, b) => b - a)).toEqual(sizes)
  return sizes.reduce((sum, size) => sum + size, 0)
}

describe('buffers of a recorded step', () => {
  it('change hands when the last kernel has read a tensor, and not in the same dispatch', () => {
    expect(check([at(8, 0, 1), at(8, 2, 3)])).toBe(8)
    expect(check([at(8, 0, 1), at(8, 1, 2)])).toBe(16)
  })

  it('go to the largest first, so that small tensors ride in large buffers', () => {
    expect(check([at(4, 0, 1), at(100, 2, 3), at(50, 4, 5), at(50, 4, 6)])).toBe(150)
  })

  it('never serve two tensors at once, and come near the least that is possible', () => {
    const draws = uniforms({ seed: 4, purpose: 'init' }, 3 * 400)
    const tensors = Array.from({ length: 400 }, (_, i) => {
      const first = Math.floor(1000 * draws[3 * i]!)
      return at(4 * Math.ceil(1000 * draws[3 * i + 1]!), first, first + Math.floor(30 * draws[3 * i + 2]!))
    })
    const bytes = check(tensors)
    const least = leastBytes(tensors)
    expect(bytes).toBeGreaterThanOrEqual(least)
    expect(bytes).toBeLessThan(1.5 * least)
  })

  it('are as large as the largest tensor at their place in any moment', () => {
    expect(held([[5, 9, 1], [7], []])).toBe(9 + 5 + 1)
    expect(held([[4, 4], [6]])).toBe(6 + 4)
    expect(held([])).toBe(0)
  })
})
