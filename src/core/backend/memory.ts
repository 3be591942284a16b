// How much memory the tensors hold. On WebGPU that is what tfjs's buffer pool has taken from the device: buffers of
// disposed tensors stay in the pool for reuse and count until `releaseFreeBuffers`.
import { backend as currentBackend, getBackend, memory } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { GraftError } from '../../protocol/errors.ts'
import { submitPending } from './errorScopes.ts'

export interface MemoryUse {
  /** Bytes held now; on wasm and cpu the bytes of all tensors. */
  gpuBytes: number
  /** Most bytes held at once since the backend was started; on cpu as far as it was looked at. */
  peakGpuBytes: number
  tensors: number
}

/** The parts of tfjs 4.22's BufferManager that are read here. */
interface Pool {
  numBytesAllocated: number
  numFreeBuffers: number
  freeBuffers: Map<string, GPUBuffer[]>
  acquireBuffer(size: number, usage: number, mappedAtCreation?: boolean, reuse?: boolean): GPUBuffer
}

let peak = 0
/** Bytes of every block that tfjs has taken from the WebAssembly heap, by its address, and their sum. */
const wasmBlocks = new Map<number, number>()
let wasmBytes = 0

export function memoryUse(): MemoryUse {
  const { numBytes, numTensors } = memory()
  const gpuBytes =
    getBackend() === 'webgpu' ? poolOf(currentBackend() as WebGPUBackend).numBytesAllocated : numBytes
  peak = Math.max(peak, gpuBytes)
  return { gpuBytes, peakGpuBytes: peak, tensors: numTensors }
}

/** Starts a new peak, and on WebGPU follows every allocation from here on. */
export function resetPeak(): void {
  peak = 0
  memoryUse()
}

/** Follows the allocations of a new WebGPU backend. */
export function followAllocations(backend: WebGPUBackend): void {
  const pool = poolOf(backend)
  const acquire = pool.acquireBuffer.bind(pool)
  pool.acquireBuffer = (...args) => {
    const buffer = acquire(...args)
    peak = Math.max(peak, pool.numBytesAllocated)
    return buffer
  }
}

/** The part of tfjs-backend-wasm 4.22's backend that hands out memory. */
interface WasmHeap {
  wasm: { _malloc(bytes: number): number; _free(address: number): void }
}

/**
 * Follows the blocks that tensors take from the WebAssembly heap, and makes a full heap an error: tfjs takes the null
 * pointer of a failed allocation for an address and writes there.
 * @throws (from then on, in any op) E_MEMORY
 */
export function guardWasmMemory(): void {
  const { wasm } = currentBackend() as unknown as WasmHeap
  // Emscripten's stub puts the real function in its own place when it is first called.
  wasm._free(wasm._malloc(1))
  const { _malloc: allocate, _free: release } = wasm
  wasmBlocks.clear()
  wasmBytes = 0
  wasm._free = (address) => {
    wasmBytes -= wasmBlocks.get(address) ?? 0
    wasmBlocks.delete(address)
    release(address)
  }
  wasm._malloc = (bytes) => {
    const address = allocate(bytes)
    if (address !== 0) {
      // Above 2 GiB the heap hands out negative numbers, and tfjs gives back positive ones.
      wasmBlocks.set(address >>> 0, bytes)
      wasmBytes += bytes
      peak = Math.max(peak, wasmBytes)
    } else if (bytes > 0) {
      throw new GraftError(
        'E_MEMORY',
        'WebAssembly has no memory left (4 GiB at most). Choose a smaller model, a smaller batch or shorter examples.',
        { bytes },
      )
    }
    return address
  }
}

/** Gives the pooled buffers that no tensor uses back to the device: after a model or a run has gone. */
export function releaseFreeBuffers(): void {
  if (getBackend() !== 'webgpu') return
  const backend = currentBackend() as WebGPUBackend
  // Work that still reads a freed buffer must have been submitted before the buffer is destroyed.
  submitPending(backend)
  const pool = poolOf(backend)
  for (const buffers of pool.freeBuffers.values()) {
    for (const buffer of buffers.splice(0)) {
      pool.numBytesAllocated -= buffer.size
      pool.numFreeBuffers--
      buffer.destroy()
    }
  }
}

function poolOf(backend: WebGPUBackend): Pool {
  return backend.bufferManager as unknown as Pool
}
