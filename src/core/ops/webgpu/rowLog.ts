// Numbers of rows that recorded steps copy aside: one dispatch a micro-batch, and one copy to a buffer that can be read.
import { keep, type Tensor } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { submitPending } from '../../backend/errorScopes.ts'
import type { Changing } from '../changing.ts'
import type { RowLog } from '../recorder.ts'
import { ELEMENT, i32, LINE, lines, runInPlace, scratch } from './runner.ts'

export class GpuRowLog implements RowLog {
  readonly #backend: WebGPUBackend
  /** f32 [capacity] */
  readonly #numbers: Tensor
  readonly #answer: GPUBuffer

  constructor(backend: WebGPUBackend, capacity: number) {
    this.#backend = backend
    this.#numbers = keep(scratch([capacity]))
    this.#answer = backend.bufferManager.acquireBuffer(
      4 * capacity,
      GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
      false,
      false,
    )
  }

  add(values: Tensor, place: Changing): void {
    runInPlace(
      {
        name: 'copyRows',
        inputs: { values },
        uniforms: { count: i32(values.size), place: i32(place) },
        workgroup: [LINE, 1, 1],
        groups: lines(values.size),
        code: `
  fn main() {
    ${ELEMENT}
    result[uniforms.place + at] = values[at];
  }`,
      },
      this.#numbers,
    )
  }

  async read(count: number): Promise<Float32Array> {
    this.#backend.uploadToGPU(this.#numbers.dataId)
    submitPending(this.#backend)
    const bytes = 4 * count
    const encoder = this.#backend.device.createCommandEncoder()
    const { resource } = this.#backend.tensorMap.get(this.#numbers.dataId)
    encoder.copyBufferToBuffer(resource as GPUBuffer, 0, this.#answer, 0, bytes)
    this.#backend.queue.submit([encoder.finish()])
    await this.#answer.mapAsync(GPUMapMode.READ, 0, bytes)
    const values = new Float32Array(this.#answer.getMappedRange(0, bytes).slice(0))
    this.#answer.unmap()
    return values
  }

  dispose(): void {
    this.#numbers.dispose()
    this.#backend.bufferManager.releaseBuffer(this.#answer, false)
  }
}
