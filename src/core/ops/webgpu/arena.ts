// The buffers that all recordings of a run share, since they run one after the other: as many as the one that needs most,
// each as large as the largest that stands at its place. They grow at the first sight of a larger shape and never again,
// and count as the pool's, so that memoryUse tells of them.
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'

const USAGE = () => GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST

export class Arena {
  readonly #backend: WebGPUBackend
  #buffers: GPUBuffer[] = []
  #generation = 0

  constructor(backend: WebGPUBackend) {
    this.#backend = backend
  }

  get bytes(): number {
    return this.#buffers.reduce((sum, { size }) => sum + size, 0)
  }

  /** Makes room for buffers of these sizes, the largest first. The number changes whenever buffers have been replaced. */
  fit(sizes: readonly number[]): number {
    const { bufferManager } = this.#backend
    const small = sizes.map((size, place) => (this.#buffers[place]?.size ?? 0) < size)
    if (!small.includes(true)) return this.#generation
    // What goes is destroyed before anything is made; work that was submitted is still done with it.
    small.forEach((replaced, place) => {
      const old = this.#buffers[place]
      if (replaced && old) bufferManager.releaseBuffer(old, false)
    })
    small.forEach((replaced, place) => {
      if (replaced) this.#buffers[place] = bufferManager.acquireBuffer(sizes[place]!, USAGE(), false, false)
    })
    return ++this.#generation
  }

  buffer(place: number): GPUBuffer {
    return this.#buffers[place]!
  }

  dispose(): void {
    for (const buffer of this.#buffers) this.#backend.bufferManager.releaseBuffer(buffer, false)
    this.#buffers = []
    this.#generation++
  }
}
