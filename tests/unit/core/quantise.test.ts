// The quantisers against bitsandbytes and numpy, code for code (tools/golden/quantise.py).
import { describe, expect, test } from 'vitest'
import { halfBits, packHalves, unpackHalves } from '../../../src/core/ops/quantise/f16.ts'
import { dynamicMap } from '../../../src/core/ops/quantise/dynamicMap.ts'
import { dequantiseInt8, quantiseInt8 } from '../../../src/core/ops/quantise/int8.ts'
import { dequantiseNf4, meanOf, quantiseAbsmax, quantiseNf4 } from '../../../src/core/ops/quantise/nf4.ts'
import { nf4Words } from '../../../src/core/ops/matrix.ts'
import golden from '../../golden/quantise.json'

function bytes(text: string): ArrayBuffer {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer
}
const floats = (text: string) => new Float32Array(bytes(text))

const CASES = Object.entries(golden.cases).map(([name, given]) => ({
  name,
  ...given,
  shape: given.shape as [number, number],
}))

test('the dynamic map is that of bitsandbytes', () => {
  expect(dynamicMap()).toEqual(floats(golden.dynamicMap))
})

describe.each(CASES)('$name', ({ shape, values, nf4, int8 }) => {
  const [rows, columns] = shape
  const weights = floats(values)

  test('nf4 codes, absmax and weights', () => {
    const { words, absmax } = quantiseNf4(weights)
    const codes = Uint8Array.from(
      { length: weights.length },
      (_, i) => (words[i >> 3]! >>> (4 * (i & 7))) & 15,
    )
    expect(codes).toEqual(new Uint8Array(bytes(nf4.codes)))
    // torch adds up in another order: the mean may differ in its last bit.
    const offset = meanOf([absmax])
    expect(Math.abs(offset - nf4.offset)).toBeLessThanOrEqual(Math.abs(nf4.offset) * 2 ** -23)

    const state = quantiseAbsmax(absmax, nf4.offset)
    const { scales } = nf4Words(weights.length)
    expect(new Float32Array(state.buffer, 0, scales)).toEqual(floats(nf4.absmaxScales))
    const expected = new Uint8Array(bytes(nf4.absmaxCodes))
    expect(new Uint8Array(state.buffer, scales * 4, expected.length)).toEqual(expected)

    const back = new Float32Array(weights.length)
    dequantiseNf4(words, state, nf4.offset, weights.length, 0, weights.length, back)
    const tail = floats(nf4.tail)
    expect(back.subarray(-tail.length)).toEqual(tail)
    // Any run of them is the same.
    const [begin, end] = [Math.floor(weights.length / 3), Math.ceil(weights.length * 0.8)]
    const some = new Float32Array(end - begin)
    dequantiseNf4(words, state, nf4.offset, weights.length, begin, end, some)
    expect(some).toEqual(back.subarray(begin, end))
  })

  test('int8 codes and scales', () => {
    const { words, scales } = quantiseInt8(weights, columns)
    const expected = new Int8Array(bytes(int8.codes))
    const absmax = floats(int8.absmax)
    expect(scales).toEqual(absmax.map((value) => value / 127))
    const packed = new Int8Array(words.buffer)
    const width = Math.ceil(columns / 4) * 4
    const back = new Float32Array(weights.length)
    dequantiseInt8(words, scales, columns, 0, rows, back)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const at = row * columns + column
        expect(packed[row * width + column], `row ${row}, column ${column}`).toBe(expected[at])
        expect(back[at]).toBe(Math.fround(expected[at]! * scales[row]!))
        expect(Math.abs(back[at]! - weights[at]!)).toBeLessThanOrEqual(scales[row]! * 0.5001)
      }
    const last = new Float32Array(columns)
    dequantiseInt8(words, scales, columns, rows - 1, rows, last)
    expect(last).toEqual(back.subarray((rows - 1) * columns))
  })
})

describe('f16', () => {
  const values = floats(golden.half.values)

  test('rounds as numpy does', () => {
    expect(Uint16Array.from(values, halfBits)).toEqual(new Uint16Array(bytes(golden.half.bits)))
    expect(halfBits(65520)).toBe(0x7c00)
    expect(halfBits(-Infinity)).toBe(0xfc00)
    expect(halfBits(NaN)).toBe(0x7e00)
  })

  test('every half survives', () => {
    const all = Int32Array.from({ length: 0x8000 }, (_, i) => (2 * i) | ((2 * i + 1) << 16))
    const back = new Float32Array(0x10000)
    unpackHalves(all, 0x10000, 0, 1, back)
    for (let bits = 0; bits < 0x10000; bits++)
      if (!Number.isNaN(back[bits])) expect(halfBits(back[bits]!)).toBe(bits)
  })

  test('rows of odd width are padded', () => {
    const rows = Float32Array.of(1, 2, 3, 4, 5, 6)
    const words = packHalves(rows, 3)
    expect(words.length).toBe(4)
    expect(words[1]! >>> 16).toBe(0)
    const back = new Float32Array(3)
    unpackHalves(words, 3, 1, 2, back)
    expect(back).toEqual(rows.subarray(3))
  })
})
