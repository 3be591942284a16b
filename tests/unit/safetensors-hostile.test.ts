// Safetensors files of any content, made right and then broken in one place; and the exactness of 16-bit floats.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bfloat16ToFloat32, float16ToFloat32 } from '../../src/formats/half.ts'
import {
  HEADER_BYTES_LIMIT,
  headerLength,
  parseHeader,
  parseSafetensors,
} from '../../src/formats/safetensors.ts'

const BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  I16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  C64: 8,
}
type Entry = { dtype: string; shape: unknown; data_offsets: unknown } & Record<string, unknown>
interface Tensor {
  name: string
  dtype: keyof typeof BYTES
  shape: number[]
}

const ODD_NAMES = [
  'constructor',
  'toString',
  'a"b',
  'ü',
  '',
  'a\\b',
  '__metadata',
  'x.y.weight',
  '\u0000',
  '😀',
  '}{',
]
const tensors = fc.uniqueArray(
  fc.record({
    name: fc
      .oneof(fc.constantFrom(...ODD_NAMES), fc.string({ maxLength: 8 }))
      .filter((name) => !/^__(proto|metadata)__$/.test(name)),
    dtype: fc.constantFrom(...(Object.keys(BYTES) as (keyof typeof BYTES)[])),
    shape: fc.array(fc.nat(4), { maxLength: 3 }),
  }),
  { selector: ({ name }) => name, minLength: 1, maxLength: 6 },
)

/** Entries in the order of their data, and how many bytes that is. */
function laidOut(list: Tensor[]): { entries: [string, Entry][]; bytes: number } {
  let at = 0
  const entries = list.map(({ name, dtype, shape }): [string, Entry] => {
    const begin = at
    at += shape.reduce((product, size) => product * size, 1) * BYTES[dtype]
    return [name, { dtype, shape, data_offsets: [begin, at] }]
  })
  return { entries, bytes: at }
}

/** The header as text: JSON.stringify would drop a second entry of the same name, and order numbers. */
const textOf = (entries: [string, unknown][]) =>
  new TextEncoder().encode(
    `{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(',')}}`,
  )

function failure(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}

describe('any file', () => {
  test('made right is read, whatever the order of its entries', () => {
    fc.assert(
      fc.property(tensors, fc.boolean(), (list, reverse) => {
        const { entries, bytes } = laidOut(list)
        const header = textOf([...(reverse ? [...entries].reverse() : entries), ['__metadata__', { a: 'b' }]])
        const parsed = parseHeader(header, 8 + header.length + bytes)
        expect(parsed.metadata).toEqual({ a: 'b' })
        expect(parsed.tensors.size).toBe(list.length)
        for (const [name, { dtype, shape, data_offsets }] of entries) {
          const [begin, end] = data_offsets as [number, number]
          const start = 8 + header.length
          expect(parsed.tensors.get(name)).toEqual({
            name,
            dtype,
            shape,
            begin: start + begin,
            end: start + end,
          })
        }
      }),
    )
  })

  const huge = [2 ** 53, 2 ** 63, 1e300, -1, 0.5, null, '1', [1], {}, true]
  const breakages: [string, fc.Arbitrary<(entry: Entry) => void>][] = [
    ['a size', fc.constantFrom(...huge).map((value) => (entry) => void (entry.shape = [value]))],
    [
      'a shape',
      fc.constantFrom(null, 3, 'x', {}, [[1]]).map((value) => (entry) => void (entry.shape = value)),
    ],
    ['a shape that overflows', fc.constant((entry) => void (entry.shape = [2 ** 30, 2 ** 30, 0]))],
    [
      'one more number',
      fc.constant((entry) => void (entry.shape = [...(entry.shape as number[]), 7, 11, 13])),
    ],
    [
      'a begin',
      fc
        .constantFrom(...huge)
        .map((value) => (entry) => void (entry.data_offsets = [value, (entry.data_offsets as number[])[1]])),
    ],
    [
      'an end',
      fc
        .constantFrom(...huge)
        .map((value) => (entry) => void (entry.data_offsets = [(entry.data_offsets as number[])[0], value])),
    ],
    [
      'offsets',
      fc
        .constantFrom(null, 3, [], [0], [0, 0, 0], { 0: 0, 1: 0 })
        .map((value) => (entry) => void (entry.data_offsets = value)),
    ],
    [
      'a type',
      fc
        .constantFrom('F33', 'f32', '', null, 3, 'constructor', '__proto__', 'F4')
        .map((value) => (entry) => void (entry.dtype = value as string)),
    ],
  ]
  test.each(breakages)('with %s that is wrong: the tensor is named', (_name, breakage) => {
    fc.assert(
      fc.property(tensors, fc.nat(), breakage, (list, pick, change) => {
        // Tensors without numbers may have many shapes.
        const filled = list.map((tensor) => ({ ...tensor, shape: tensor.shape.map((size) => size + 1) }))
        const { entries, bytes } = laidOut(filled)
        const [name, entry] = entries[pick % entries.length]!
        change(entry)
        const header = textOf(entries)
        const error = failure(() => parseHeader(header, 8 + header.length + bytes))
        expect(error).toMatchObject({ code: 'E_FORMAT', details: { tensor: name } })
        expect((error as Error).message.length).toBeLessThan(300)
      }),
    )
  })

  test('with a byte too many or too few, a hole, an overlap, a name twice', () => {
    fc.assert(
      fc.property(tensors, fc.nat(), fc.integer({ min: 1, max: 9 }), (list, pick, by) => {
        const filled = list.map((tensor) => ({ ...tensor, shape: tensor.shape.map((size) => size + 1) }))
        const { entries, bytes } = laidOut(filled)
        const header = textOf(entries)
        const last = entries.at(-1)![0]
        expect(failure(() => parseHeader(header, 8 + header.length + bytes - 1))).toMatchObject({
          code: 'E_FORMAT',
          details: { tensor: last },
        })
        expect(failure(() => parseHeader(header, 8 + header.length + bytes + by))).toMatchObject({
          code: 'E_FORMAT',
          details: {},
        })
        const index = pick % entries.length
        const twice = textOf([...entries, entries[index]!])
        expect(failure(() => parseHeader(twice, 8 + twice.length + bytes))).toMatchObject({
          code: 'E_FORMAT',
          details: { tensor: entries[index]![0] },
        })
        for (const shift of [by, -by]) {
          const moved = entries.map(([name, entry], i): [string, Entry] => {
            const [begin, end] = entry.data_offsets as [number, number]
            return [name, i < index ? entry : { ...entry, data_offsets: [begin + shift, end + shift] }]
          })
          const text = textOf(moved)
          const error = failure(() => parseHeader(text, 8 + text.length + bytes + shift))
          expect(error).toMatchObject({ code: 'E_FORMAT', details: { tensor: expect.any(String) as string } })
        }
      }),
    )
  })

  test('any length is judged by eight bytes', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.maxSafeNat(), (length, fileBytes) => {
        const first = new Uint8Array(8)
        new DataView(first.buffer).setBigUint64(0, length, true)
        const fits = length <= BigInt(HEADER_BYTES_LIMIT) && 8n + length <= BigInt(fileBytes)
        if (fits) expect(headerLength(first, fileBytes)).toBe(Number(length))
        else expect(failure(() => headerLength(first, fileBytes))).toMatchObject({ code: 'E_FORMAT' })
      }),
    )
  })

  test('metadata that JSON does not have, or that is deep', () => {
    for (const text of [
      '{"__metadata__":{"a":NaN}}',
      '{"__metadata__":{"a":{"b":{}}}}',
      '{"__metadata__":[]}',
      '{"__metadata__":{"a":null}}',
    ]) {
      const header = new TextEncoder().encode(text)
      expect(failure(() => parseHeader(header, 8 + header.length))).toMatchObject({ code: 'E_FORMAT' })
    }
    const own = new TextEncoder().encode('{"__metadata__":{"__proto__":"x","constructor":"y"}}')
    expect(Object.entries(parseHeader(own, 8 + own.length).metadata)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })

  test('a header of the full size with a hundred thousand tensors is read in one pass', () => {
    const entries = Array.from({ length: 100_000 }, (_, i): [string, Entry] => [
      `layer.${i}.weight`,
      { dtype: 'U8', shape: [1], data_offsets: [i, i + 1] },
    ])
    const header = textOf(entries)
    const file = new Uint8Array(8 + header.length + entries.length)
    new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true)
    file.set(header, 8)
    expect(parseSafetensors(file).tensors.size).toBe(100_000)
  })
})

describe('16-bit floats, all 65,536 of each', () => {
  const all = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits)

  test('float16, against a conversion of the bits by whole numbers', () => {
    const values = float16ToFloat32(all)
    const bitsOf = new Uint32Array(values.buffer)
    for (const half of all) {
      const sign = (half & 0x8000) * 0x10000
      let exponent = (half >> 10) & 31
      let fraction = half & 0x3ff
      if (exponent === 31 && fraction !== 0) {
        expect(values[half]).toBeNaN()
        continue
      }
      if (exponent === 31) exponent = 255
      else if (exponent > 0) exponent += 112
      else if (fraction !== 0) {
        // A subnormal is normal in float32: shifted until its leading one is gone.
        exponent = 113
        while (fraction < 0x400) {
          fraction *= 2
          exponent--
        }
        fraction -= 0x400
      }
      if (bitsOf[half] !== sign + exponent * 2 ** 23 + fraction * 2 ** 13)
        expect.fail(`half ${half.toString(16)}`)
    }
  })

  test('bfloat16: the upper half of a float32, NaN and subnormals included', () => {
    const bits = new Uint32Array(bfloat16ToFloat32(all).buffer)
    for (const half of all) if (bits[half] !== half * 0x10000) expect.fail(`bfloat16 ${half.toString(16)}`)
  })
})
