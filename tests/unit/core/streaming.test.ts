// The matrices of SmolLM2-135M, 134 million weights in bfloat16, stream into the memory of the wasm backend: JavaScript
// itself never holds more than a few pieces. The checkpoint is made as it is read.
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { placeMatrix } from '../../../src/core/backend/placeMatrix.ts'
import { startBackend } from '../../../src/core/backend/register.ts'
import { openWeights, type ByteFile, type WeightSource } from '../../../src/core/models/weights.ts'
import { disposeMatrix, matrixBytes, type FrozenMatrix } from '../../../src/core/ops/matrix.ts'
import { PRECISIONS } from '../../../src/protocol/model.ts'

const LIMIT = 256 * 1024 * 1024

const LAYER: [number, number][] = [
  [576, 576],
  [192, 576],
  [192, 576],
  [576, 576],
  [1536, 576],
  [1536, 576],
  [576, 1536],
]
const SHAPES: [number, number][] = [[49152, 576], ...Array.from({ length: 30 }, () => LAYER).flat()]

/** A safetensors file whose numbers are a hash of their place. */
function madeFile(): ByteFile {
  const entries: Record<string, unknown> = {}
  let bytes = 0
  for (const [i, shape] of SHAPES.entries()) {
    const end = bytes + shape[0] * shape[1] * 2
    entries[`t${i}`] = { dtype: 'BF16', shape, data_offsets: [bytes, end] }
    bytes = end
  }
  const json = new TextEncoder().encode(JSON.stringify(entries))
  const head = new Uint8Array(8 + json.length)
  new DataView(head.buffer).setUint32(0, json.length, true)
  head.set(json, 8)
  return {
    name: 'model.safetensors',
    bytes: head.length + bytes,
    read(begin, end) {
      if (begin < head.length) return Promise.resolve(head.slice(begin, end))
      const numbers = new Uint16Array((end - begin) / 2)
      // Sign and fraction at random, exponents of numbers around 0.05.
      for (let i = 0, state = begin; i < numbers.length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0
        numbers[i] = 0x3c80 | ((state >>> 16) & 0x807f)
      }
      return Promise.resolve(new Uint8Array(numbers.buffer))
    },
  }
}

let source: WeightSource

beforeAll(async () => {
  const wasmPaths = fileURLToPath(
    new URL('../../../node_modules/@tensorflow/tfjs-backend-wasm/dist/', import.meta.url),
  )
  await startBackend('wasm', { onFault: (fault) => expect.fail(fault.message), wasmPaths })
  source = await openWeights([madeFile()])
})
afterAll(() => expect(tf.memory().numTensors).toBe(0))

test.each(PRECISIONS)(
  '%s',
  async (precision) => {
    // Heap and array buffers; the module's own memory counts as neither.
    const held = (): number => {
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      return heapUsed + arrayBuffers
    }
    let peak = 0
    const matrices: FrozenMatrix[] = []
    for (const [i, shape] of SHAPES.entries()) {
      const matrix = await placeMatrix('A test', shape, precision, async (begin, end) => {
        const values = await source.rows(`t${i}`, begin, end)
        peak = Math.max(peak, held())
        return values
      })
      matrices.push(matrix)
    }
    const onDevice = SHAPES.reduce((sum, shape) => sum + matrixBytes(shape, precision), 0)
    expect(tf.memory().numBytes).toBe(onDevice)
    matrices.forEach(disposeMatrix)
    expect(peak).toBeLessThan(LIMIT)
  },
  60_000,
)
