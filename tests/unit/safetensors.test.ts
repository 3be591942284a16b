// Safetensors: what Python wrote and reads, and files made to hurt.
import { readFileSync } from 'node:fs'
import { unzipSync } from 'fflate'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GraftError } from '../../src/protocol/errors.ts'
import { parseSafetensors, readTensor, writeSafetensors } from '../../src/formats/safetensors.ts'
import { bfloat16ToFloat32, float16ToFloat32 } from '../../src/formats/half.ts'
import { writeZip } from '../../src/formats/zip.ts'

function file(header: string | Uint8Array, dataBytes: number, length?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + json.length + dataBytes)
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true)
  bytes.set(json, 8)
  return bytes
}
const entry = (begin: number, end: number, shape = [(end - begin) / 4], dtype = 'F32'): string =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] })

describe('writing and reading', () => {
  test('tensors and metadata come back', () => {
    const tensors = [
      { name: 'b', shape: [2, 3], data: Float32Array.of(1, -2, 3.5, NaN, Infinity, -0) },
      { name: 'a"\\ü', shape: [], data: Float32Array.of(7) },
      { name: 'empty', shape: [0, 4], data: new Float32Array(0) },
    ]
    const bytes = writeSafetensors(tensors)
    const { tensors: found, metadata, dataStart } = parseSafetensors(bytes)
    expect(metadata).toEqual({ format: 'pt' })
    expect(dataStart % 8).toBe(0)
    expect([...found.keys()]).toEqual(['a"\\ü', 'b', 'empty'])
    for (const { name, shape, data } of tensors) {
      expect(found.get(name)!.shape).toEqual(shape)
      expect(readTensor(bytes, found.get(name)!)).toEqual(data)
    }
  })

  test('a name taken twice or a wrong shape is not written', () => {
    const one = { name: 'a', shape: [1], data: Float32Array.of(1) }
    expect(() => writeSafetensors([one, one])).toThrow(/named "a"/)
    expect(() => writeSafetensors([{ ...one, shape: [2] }])).toThrow(/not \[2\]/)
  })

  test('reads the embedded base', () => {
    const bytes = readFileSync('public/models/graft-7m/model.safetensors')
    const { tensors } = parseSafetensors(bytes)
    const embedding = tensors.get('model.embed_tokens.weight')!
    expect(embedding).toMatchObject({ dtype: 'F16', shape: [4096, 256] })
    const values = readTensor(bytes, embedding)
    expect(values.length).toBe(4096 * 256)
    expect(values.every(Number.isFinite)).toBe(true)
  })

  test('half floats: values of the standard', () => {
    const halves = Uint16Array.of(
      0x3c00,
      0xc000,
      0x7bff,
      0x0400,
      0x0001,
      0x03ff,
      0x7c00,
      0xfc00,
      0x8000,
      0x3555,
    )
    expect([...float16ToFloat32(halves)]).toEqual([
      1,
      -2,
      65504,
      2 ** -14,
      2 ** -24,
      (1023 / 1024) * 2 ** -14,
      Infinity,
      -Infinity,
      -0,
      0.333251953125,
    ])
    expect(float16ToFloat32(Uint16Array.of(0x7e00))[0]).toBeNaN()
    expect([...bfloat16ToFloat32(Uint16Array.of(0x3f80, 0xc040, 0x7f80, 0x0001))]).toEqual([
      1,
      -3,
      Infinity,
      2 ** -133,
    ])
  })

  test('other types are named when they are read, and do not stop the rest', () => {
    const bytes = file(`{"ids":${entry(0, 8, [1], 'I64')},"w":${entry(8, 12)}}`, 12)
    const { tensors } = parseSafetensors(bytes)
    expect([...readTensor(bytes, tensors.get('w')!)]).toEqual([0])
    expect(() => readTensor(bytes, tensors.get('ids')!)).toThrow(/"ids" has the type I64/)
  })
})

describe('hostile files are refused at once, naming the tensor', () => {
  const big = '9223372036854775808'
  const cases: [string, Uint8Array, string | undefined][] = [
    ['no bytes', new Uint8Array(0), undefined],
    ['length 2^63', file('{}', 0, 2n ** 63n), undefined],
    ['length beyond the cap', file('{}', 0, 26n * 1024n * 1024n), undefined],
    ['length beyond the file', file('{}', 0, 100n), undefined],
    ['not UTF-8', file(Uint8Array.of(0x7b, 0xff, 0x7d), 0), undefined],
    ['not JSON', file('{"a":', 0), undefined],
    ['a list', file('[]', 0), undefined],
    ['an open text', file('{"a', 0), undefined],
    ['overlap', file(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12), 'b'],
    ['the same bytes twice', file(`{"a":${entry(0, 8)},"b":${entry(0, 8)}}`, 8), 'b'],
    ['hole', file(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12), 'b'],
    ['hole at the start', file(`{"a":${entry(4, 8)}}`, 8), 'a'],
    ['bytes left over', file(`{"a":${entry(0, 4)}}`, 8), undefined],
    ['cut data', file(`{"a":${entry(0, 400)}}`, 8), 'a'],
    [
      'shape overflow',
      file(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0),
      'a',
    ],
    [
      'overflow hidden by a zero',
      file(`{"a":{"dtype":"F32","shape":[9007199254740991,9007199254740991,0],"data_offsets":[0,0]}}`, 0),
      'a',
    ],
    ['a size of 2^63', file(`{"a":{"dtype":"F32","shape":[${big}],"data_offsets":[0,0]}}`, 0), 'a'],
    ['an offset of 2^63', file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,${big}]}}`, 4), 'a'],
    ['shape against length', file(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), 'a'],
    ['a negative size', file(`{"a":{"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]}}`, 4), 'a'],
    ['end before begin', file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}`, 8), 'a'],
    ['an unknown type', file(`{"a":${entry(0, 4, [1], 'F33')}}`, 4), 'a'],
    ['an inherited type', file(`{"a":${entry(0, 4, [1], 'toString')}}`, 4), 'a'],
    ['a duplicate name', file(`{"a":${entry(0, 4)},"a":${entry(0, 4)}}`, 4), 'a'],
    ['a duplicate name, escaped', file(`{"a":${entry(0, 4)},"\\u0061":${entry(0, 4)}}`, 4), 'a'],
    ['a duplicate field', file(`{"a":{"dtype":"F32","shape":[1],"shape":[1],"data_offsets":[0,4]}}`, 4), 'a'],
    ['__proto__', file(`{"__proto__":${entry(0, 4)}}`, 4), '__proto__'],
    ['__proto__, escaped', file(`{"\\u005f_proto__":${entry(0, 4)}}`, 4), '__proto__'],
    ['an entry that is a list', file(`{"a":[]}`, 0), 'a'],
    ['an entry without fields', file(`{"a":{}}`, 0), 'a'],
    ['metadata that is no text', file(`{"__metadata__":{"a":1}}`, 0), undefined],
    ['nesting', file(`{"a":${'['.repeat(1_000_000)}}`, 0), 'a'],
    ['a million open texts', file(`{${'"\\'.repeat(1_000_000)}`, 0), undefined],
  ]
  test.each(cases)('%s', (_name, bytes, tensor) => {
    const start = performance.now()
    let thrown: unknown
    try {
      parseSafetensors(bytes)
    } catch (error) {
      thrown = error
    }
    expect(performance.now() - start).toBeLessThan(100)
    expect(thrown).toBeInstanceOf(GraftError)
    expect(thrown).toMatchObject({ code: 'E_FORMAT', details: tensor === undefined ? {} : { tensor } })
    if (tensor !== undefined) expect((thrown as GraftError).message).toContain(`"${tensor}"`)
    expect(({} as Record<string, unknown>).dtype).toBeUndefined()
  })

  test('any bytes whatever are parsed or are E_FORMAT', () => {
    const valid = writeSafetensors([{ name: 'ab', shape: [3], data: new Float32Array(3) }])
    const mutated = fc
      .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 4 })
      .map((edits) => {
        const bytes = valid.slice()
        for (const [at, value] of edits) bytes[at] = value
        return bytes
      })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), mutated), (bytes) => {
        try {
          parseSafetensors(bytes)
        } catch (error) {
          expect(error).toMatchObject({ name: 'GraftError', code: 'E_FORMAT' })
        }
      }),
      { numRuns: 500 },
    )
  })
})

test('zip: the same files make the same archive, and it unpacks', () => {
  const files = { 'adapter_config.json': '{"r":16}', 'weights.safetensors': Uint8Array.of(1, 2, 3) }
  const archive = writeZip(files)
  expect(writeZip(files)).toEqual(archive)
  const found = unzipSync(archive)
  expect(new TextDecoder().decode(found['adapter_config.json'])).toBe('{"r":16}')
  expect([...found['weights.safetensors']!]).toEqual([1, 2, 3])
})
