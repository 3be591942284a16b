// What the reference ops use of tfjs-backend-wasm 4.22 beneath its kernels: where a tensor lies in the module's
// memory, for kernels of our own and loops over it.
import {
  backend as currentBackend,
  engine,
  getBackend,
  type DataId,
  type Tensor,
  type TensorInfo,
} from '@tensorflow/tfjs-core'

export type BatchMatMul = (
  aId: number,
  aShape: Uint8Array,
  aRank: number,
  bId: number,
  bShape: Uint8Array,
  bRank: number,
  transposeA: boolean,
  transposeB: boolean,
  outId: number,
) => void

export interface WasmBackend {
  dataIdNextNumber: number
  dataIdMap: { get(dataId: DataId): { id: number; memoryOffset: number } }
  makeOutput(shape: number[], dtype: 'float32' | 'int32'): TensorInfo
  wasm: {
    /** Replaced whenever the memory grows: read it anew after every allocation. */
    HEAPU8: Uint8Array
    cwrap(name: string, result: null, args: string[]): BatchMatMul
    tfjs: {
      registerTensor(id: number, elements: number, address: number): void
      disposeData(id: number): void
    }
  }
}

/** Of a float32 or int32 number. */
export const ELEMENT_BYTES = 4

export function isWasm(): boolean {
  return getBackend() === 'wasm'
}

export function wasmBackend(): WasmBackend {
  return currentBackend() as unknown as WasmBackend
}

/** Makes the tensor of an output made by `makeOutput`. */
export function asTensor(out: TensorInfo): Tensor {
  return engine().makeTensorFromTensorInfo(out)
}

/** Byte address of a tensor in the module's memory. */
export function addressOf(backend: WasmBackend, dataId: DataId): number {
  return backend.dataIdMap.get(dataId).memoryOffset
}

/** The memory of tfjs's module, for kernels of our own: its single-threaded runtime tells its exports, and to the threaded
 *  one backend/wasmThreads.ts adds it. */
export function memoryOf(wasm: object): WebAssembly.Memory | undefined {
  const { asm, wasmMemory } = wasm as {
    asm?: { memory?: WebAssembly.Memory }
    wasmMemory?: WebAssembly.Memory
  }
  return wasmMemory ?? asm?.memory
}
