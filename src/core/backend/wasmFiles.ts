// Where the WASM backend's files are in this build: copied as they are into the site, under a name with their hash.
import runtime from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js?url'
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url'
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url'
import threadedSimd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url'
import helper from './wasmHelper.js?url'
import thread from './wasmThread.js?url'

/** Addresses of the backend's files. */
export interface WasmFiles {
  /** The binary for engines without SIMD. */
  plain: string
  /** The binary with SIMD. */
  simd: string
  /** The binary with SIMD and shared memory. */
  threadedSimd: string
  /** Emscripten's runtime for the threaded binary, loaded by each thread. */
  runtime: string
  /** wasmThread.js. */
  thread: string
  /** wasmHelper.js. */
  helper: string
}

export const builtInFiles: WasmFiles = { plain, simd, threadedSimd, runtime, thread, helper }
