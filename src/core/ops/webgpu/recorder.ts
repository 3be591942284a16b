// The recorder of WebGPU: recordings over one arena, inputs that are written before a replay, and the log of steps.
import { backend as currentBackend, keep, type Tensor } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { submitPending } from '../../backend/errorScopes.ts'
import type { Changing } from '../changing.ts'
import type { Recorder, Recording, RowLog, StepLog } from '../recorder.ts'
import { Arena } from './arena.ts'
import { GpuRowLog } from './rowLog.ts'
import { recorded } from './recording.ts'
import { i32, runInPlace, scratch } from './runner.ts'

export class GpuRecorder implements Recorder {
  readonly #backend = currentBackend() as WebGPUBackend
  readonly #arena = new Arena(this.#backend)

  get bytes(): number {
    return this.#arena.bytes
  }

  record(work: () => void): Recording | null {
    return recorded(this.#arena, work)
  }

  log(capacity: number): StepLog {
    return new GpuLog(this.#backend, capacity)
  }

  rowLog(capacity: number): RowLog {
    return new GpuRowLog(this.#backend, capacity)
  }

  write({ dataId }: Tensor, values: Int32Array | Float32Array): void {
    this.#backend.uploadToGPU(dataId)
    // Writes go before everything that is not submitted yet.
    submitPending(this.#backend)
    const { resource } = this.#backend.tensorMap.get(dataId)
    this.#backend.queue.writeBuffer(
      resource as GPUBuffer,
      0,
      values as typeof values & ArrayBufferView<ArrayBuffer>,
    )
  }

  async done(): Promise<void> {
    await this.#backend.queue.onSubmittedWorkDone()
  }

  dispose(): void {
    this.#arena.dispose()
  }
}

/** Loss, norm and energy of a step. */
const NUMBERS = 3

class GpuLog implements StepLog {
  readonly #backend: WebGPUBackend
  /** f32 [capacity, 3], and [2]: loss and energy of the step so far. */
  readonly #steps: Tensor
  readonly #sums: Tensor
  readonly #answer: GPUBuffer

  constructor(backend: WebGPUBackend, capacity: number) {
    this.#backend = backend
    this.#steps = keep(scratch([capacity, NUMBERS]))
    this.#sums = keep(scratch([NUMBERS - 1]))
    this.#answer = backend.bufferManager.acquireBuffer(
      4 * NUMBERS * capacity,
      GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
      false,
      false,
    )
    runInPlace(
      {
        ...one,
        name: 'clearSums',
        inputs: {},
        uniforms: {},
        code: 'fn main() { result[0] = 0.0; result[1] = 0.0; }',
      },
      this.#sums,
    )
  }

  add(loss: Tensor, energy: Tensor): void {
    runInPlace(
      {
        ...one,
        name: 'addToStep',
        inputs: { loss, energy },
        uniforms: {},
        code: 'fn main() { result[0] += loss[0]; result[1] += energy[0]; }',
      },
      this.#sums,
    )
  }

  close(norm: Tensor, place: Changing): void {
    runInPlace(
      {
        ...one,
        name: 'closeStep',
        inputs: { norm },
        uniforms: { place: i32(place) },
        code: `
  fn main() {
    let at = uniforms.place * ${NUMBERS};
    result[at] = sums[0];
    result[at + 1] = norm[0];
    result[at + 2] = sums[1];
    sums[0] = 0.0;
    sums[1] = 0.0;
  }`,
      },
      this.#steps,
      { sums: this.#sums },
    )
  }

  async read(steps: number): Promise<Float32Array> {
    this.#backend.uploadToGPU(this.#steps.dataId)
    submitPending(this.#backend)
    const bytes = 4 * NUMBERS * steps
    const encoder = this.#backend.device.createCommandEncoder()
    const { resource } = this.#backend.tensorMap.get(this.#steps.dataId)
    encoder.copyBufferToBuffer(resource as GPUBuffer, 0, this.#answer, 0, bytes)
    this.#backend.queue.submit([encoder.finish()])
    await this.#answer.mapAsync(GPUMapMode.READ, 0, bytes)
    const values = new Float32Array(this.#answer.getMappedRange(0, bytes).slice(0))
    this.#answer.unmap()
    return values
  }

  dispose(): void {
    this.#steps.dispose()
    this.#sums.dispose()
    this.#backend.bufferManager.releaseBuffer(this.#answer, false)
  }
}

/** A kernel of one thread. */
const one = { workgroup: [1, 1, 1] as [number, number, number], groups: 1 }
