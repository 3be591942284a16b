// Weights go to the GPU when they are loaded, and what the GPU refuses is an error of the load, not of a later op.
import * as tf from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { expect, test, vi } from 'vitest'
import { startBackend } from '../../src/core/backend/register.ts'
import { uploadNow } from '../../src/core/backend/upload.ts'
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
