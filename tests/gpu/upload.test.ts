// Weights go to the GPU when they are loaded, and what the GPU refuses is an error of the load, not of a later op.
import * as tf from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { expect, test, vi } from 'vitest'
import { placeMatrix } from '../../src/core/backend/placeMatrix.ts'
import { startBackend } from '../../src/core/backend/register.ts'
import { uploadNow } from '../../src/core/backend/upload.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { disposeMatrix } from '../../src/core/ops/matrix.ts'
import type { GraftError } from '../../src/protocol/errors.ts'

test('an upload arrives; one that the GPU or the process has no memory for is refused', async () => {
  const faults: GraftError[] = []
  await startBackend('webgpu', { onFault: (fault) => faults.push(fault) })
  const { device } = tf.backend() as WebGPUBackend
  const good = tf.tensor1d([1, 2, 3])
  await uploadNow('A test', good)
  expect([...(await good.data())]).toEqual([1, 2, 3])

  const create = device.createBuffer.bind(device)
  const spy = vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
    create({ size: device.limits.maxBufferSize * 2, usage: GPUBufferUsage.STORAGE })
    return create(descriptor)
  })
  const filled = tf.tensor2d(new Float32Array(77 * 13), [77, 13])
  await expect(uploadNow('A test', filled)).rejects.toMatchObject({
    code: expect.stringMatching(/^E_(GPU|MEMORY)$/) as string,
    message: expect.stringContaining('A test') as string,
  })
  spy.mockImplementation(() => {
    throw new RangeError('createBuffer failed')
  })
  const other = tf.tensor1d(new Float32Array(7919))
  await expect(uploadNow('A test', other)).rejects.toMatchObject({ code: 'E_MEMORY' })
  spy.mockRestore()
  tf.dispose([good, filled, other])
  expect(faults).toEqual([])
})

test('a streamed matrix arrives in pieces; one that the GPU refuses leaves nothing behind', async () => {
  await startBackend('webgpu', { onFault: (fault) => expect.fail(fault.message) })
  const { device } = tf.backend() as WebGPUBackend
  const tensors = tf.memory().numTensors
  // 12 MiB of float32: two pieces.
  const [rows, columns] = [3072, 1024]
  const value = (row: number, column: number) => ((row * 31 + column * 7) % 255) - 127
  const piece = (begin: number, end: number) =>
    Promise.resolve(
      Float32Array.from({ length: (end - begin) * columns }, (_, i) =>
        value(begin + Math.floor(i / columns), i % columns),
      ),
    )
  for (const precision of ['f32', 'f16', 'int8'] as const) {
    const matrix = await placeMatrix('A test', [rows, columns], precision, piece)
    const ids = tf.tensor1d([0, 2047, 2048, 3071], 'int32')
    const chosen = opsFor('webgpu').embedding(matrix, ids)
    const got = await chosen.data()
    for (const [i, row] of [0, 2047, 2048, 3071].entries())
      for (const column of [0, 1, 511, 1023])
        expect(got[i * columns + column]).toBeCloseTo(value(row, column), 4)
    tf.dispose([ids, chosen])
    disposeMatrix(matrix)
  }

  const create = device.createBuffer.bind(device)
  const asked: number[] = []
  const spy = vi.spyOn(device, 'createBuffer').mockImplementation((descriptor) => {
    asked.push(descriptor.size)
    create({ size: device.limits.maxBufferSize * 2, usage: GPUBufferUsage.STORAGE })
    return create(descriptor)
  })
  let pieces = 0
  const refused = placeMatrix('A test', [61, 1013], 'int8', (begin, end) => {
    pieces++
    return piece(begin, end)
  })
  await expect(refused).rejects.toMatchObject({ code: expect.stringMatching(/^E_(GPU|MEMORY)$/) as string })
  spy.mockRestore()
  expect(asked.length).toBeGreaterThan(0)
  expect(pieces).toBe(0)
  expect(tf.memory().numTensors).toBe(tensors)
})
