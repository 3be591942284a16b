// Checkpoints in one or several files: what is there twice, in another file than said, of a type that is not read.
import { describe, expect, test } from 'vitest'
import { memoryFile, openWeights, type ByteFile } from '../../src/core/models/weights.ts'
import { writeSafetensors } from '../../src/formats/safetensors.ts'

const shard = (name: string, ...tensors: string[]): ByteFile =>
  memoryFile(
    name,
    writeSafetensors(
      tensors.map((tensor) => ({ name: tensor, shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) })),
    ),
  )

/** A file with tensors of any type, all of zeros, that counts what is read of it. */
function typed(
  entries: [name: string, dtype: string, shape: number[], bytes: number][],
): ByteFile & { readBytes: number } {
  let at = 0
  const header = Object.fromEntries(
    entries.map(([name, dtype, shape, bytes]) => [name, { dtype, shape, data_offsets: [at, (at += bytes)] }]),
  )
  const json = new TextEncoder().encode(JSON.stringify(header))
  const content = new Uint8Array(8 + json.length + at)
  new DataView(content.buffer).setUint32(0, json.length, true)
  content.set(json, 8)
  const file = {
    name: 'model.safetensors',
    bytes: content.length,
    readBytes: 0,
    read: (begin: number, end: number) => (
      (file.readBytes += end - begin),
      Promise.resolve(content.subarray(begin, end))
    ),
  }
  return file
}

describe('several files', () => {
  test('a tensor is found in the file that has it, whatever an index says', async () => {
    const weights = await openWeights([shard('1', 'a', 'b'), shard('2', 'c')])
    expect(['a', 'b', 'c', 'd'].map((name) => weights.has(name))).toEqual([true, true, true, false])
    expect([...(await weights.rows('c', 1, 2))]).toEqual([4, 5, 6])
    expect(() => weights.shape('d')).toThrow(
      expect.objectContaining({ code: 'E_MODEL_FILES', details: { tensor: 'd' } }),
    )
  })

  test('two files with the same tensor', async () => {
    await expect(openWeights([shard('1', 'a', 'b'), shard('2', 'b')])).rejects.toMatchObject({
      code: 'E_MODEL_FILES',
      details: { tensor: 'b' },
      message: expect.stringMatching(/1 and 2 hold the tensor b/) as string,
    })
  })

  test('a file that became shorter since its header was read', async () => {
    const whole = shard('1', 'a')
    const weights = await openWeights([
      { ...whole, read: (begin, end) => whole.read(begin, Math.min(end, whole.bytes - 4)) },
    ])
    await expect(weights.read('a')).rejects.toMatchObject({ code: 'E_MODEL_FILES', details: { tensor: 'a' } })
  })
})

test('buffers of types that are not read stand in nobody’s way; a weight of such a type is refused before it is read', async () => {
  const file = typed([
    ['embeddings.position_ids', 'I64', [1, 512], 4096],
    ['h.0.attn.bias', 'BOOL', [1, 1, 4, 4], 16],
    ['h.0.attn.masked_bias', 'F64', [], 8],
    ['quantised', 'I8', [4], 4],
    ['small', 'F8_E4M3', [4], 4],
    ['weight', 'BF16', [2], 4],
  ])
  const weights = await openWeights([file])
  const header = file.readBytes
  expect(weights.shape('weight')).toEqual([2])
  for (const [name, dtype] of [
    ['quantised', 'I8'],
    ['small', 'F8_E4M3'],
    ['h.0.attn.masked_bias', 'F64'],
  ] as const)
    expect(() => weights.shape(name)).toThrow(
      expect.objectContaining({ code: 'E_MODEL_UNSUPPORTED', details: { tensor: name, dtype } }),
    )
  expect(file.readBytes).toBe(header)
  expect([...(await weights.read('weight'))]).toEqual([0, 0])
})

test('a header that claims 2^63 bytes, or more than the file has, is not read', async () => {
  for (const claim of [2n ** 63n, 2n ** 64n - 1n, 30_000_000n, 1000n]) {
    const content = new Uint8Array(100)
    new DataView(content.buffer).setBigUint64(0, claim, true)
    let read = 0
    const file: ByteFile = {
      name: 'x',
      bytes: 100,
      read: (begin, end) => ((read += end - begin), Promise.resolve(content.subarray(begin, end))),
    }
    await expect(openWeights([file])).rejects.toMatchObject({ code: 'E_FORMAT' })
    expect(read).toBe(8)
  }
})
