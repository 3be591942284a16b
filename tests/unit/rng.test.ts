// Philox against the known answers of its authors (Random123, kat_vectors), and what is drawn from it.
import { expect, test } from 'vitest'
import { normals, permutation, philox, uniforms, words } from '../../src/core/rng.ts'

const FULL = 0xffffffff

test.each([
  { counter: [0, 0, 0, 0], key: [0, 0], expected: '6627e8d5 e169c58d bc57ac4c 9b00dbd8' },
  { counter: [FULL, FULL, FULL, FULL], key: [FULL, FULL], expected: '408f276d 41c83b0e a20bc7c6 6d5451fd' },
  {
    counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    key: [0xa4093822, 0x299f31d0],
    expected: 'd16cfe09 94fdcceb 5001e420 24126ea1',
  },
] as const)('philox4x32-10 of $counter', ({ counter, key, expected }) => {
  expect(
    philox(counter, key)
      .map((word) => word.toString(16).padStart(8, '0'))
      .join(' '),
  ).toBe(expected)
})

test('a stream can be entered at any block', () => {
  const key = { seed: 1, purpose: 'dropout', step: 2, layer: 3 } as const
  expect([...words(key, 8, 5)]).toEqual([...words(key, 28).slice(20)])
  expect([...words(key, 3)]).toEqual([...words(key, 4).slice(0, 3)])
})

test('streams of different purposes, steps and layers differ', () => {
  const first = (given: object): number => words({ seed: 1, purpose: 'init', ...given }, 1)[0]!
  expect(new Set([{}, { purpose: 'dropout' }, { step: 1 }, { layer: 1 }, { seed: 2 }].map(first)).size).toBe(
    5,
  )
})

test('uniforms are in [0, 1) with the right mean, normals have the right moments', () => {
  const u = uniforms({ seed: 5, purpose: 'noise' }, 20_000)
  expect(Math.min(...u)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...u)).toBeLessThan(1)
  expect(u.reduce((sum, x) => sum + x, 0) / u.length).toBeCloseTo(0.5, 2)
  const z = normals({ seed: 5, purpose: 'noise' }, 20_001)
  expect(z.reduce((sum, x) => sum + x, 0) / z.length).toBeCloseTo(0, 1)
  expect(z.reduce((sum, x) => sum + x * x, 0) / z.length).toBeCloseTo(1, 1)
})

test('a permutation holds every number once', () => {
  const order = permutation({ seed: 9, purpose: 'shuffle', step: 1 }, 1000)
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
  expect([...order]).not.toEqual([...permutation({ seed: 9, purpose: 'shuffle', step: 2 }, 1000)])
})
