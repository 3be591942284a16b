// Registers tfjs's WASM backend, the fallback where there is no GPU: SIMD wherever the engine has it, and real
// threads in a cross-origin-isolated page (see wasmThreads.ts for why tfjs cannot start them here by itself).
// Whatever goes wrong with threads leaves the single-threaded backend, with the reason on record.
// Node has no threads here: tfjs's binary with shared memory runs in browsers only.
import { env, findBackendFactory, registerBackend, removeBackend } from '@tensorflow/tfjs-core'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import { builtInFiles, type WasmFiles } from './wasmFiles.ts'
import { startThreads } from './wasmThreads.ts'

export type { WasmFiles } from './wasmFiles.ts'

/** The most threads that share a kernel: a step of the models that fit here has no more to share. */
export const MAX_THREADS = 8

/** tfjs's own priority of the backend: below a GPU, above plain JavaScript. */
const PRIORITY = 2

const singleThreaded = findBackendFactory('wasm')!

export interface WasmOptions {
  /** Where the files are: a folder (with a final `/`) of tfjs's .wasm files, then without threads; or each file. */
  paths?: string | WasmFiles
  /** Threads wanted, the engine's own included; default: every logical core, 8 at most. */
  threads?: number
}

export interface WasmInfo {
  /** Whether the binary with 128-bit SIMD is used. */
  simd: boolean
  /** Threads that share the work of one kernel, the engine's own included. */
  threads: number
  /** Why there is one thread only, as a sentence; empty where there are more. */
  reason: string
}

/** Why threads cannot be tried, or an empty string. */
function obstacle(simd: boolean, wanted: number, paths: WasmOptions['paths']): string {
  if (env().getBool('IS_NODE')) return 'In Node the backend has one thread.'
  if (!simd) return 'This browser has no WASM SIMD.'
  if (typeof paths === 'string') return 'Only a folder of binaries was given.'
  if (globalThis.crossOriginIsolated !== true) {
    return 'The page is not cross-origin isolated: the server does not send the COOP and COEP headers.'
  }
  if (wanted < 2) return 'One thread was asked for, or the machine has one core.'
  return ''
}

/**
 * Registers the `wasm` backend with tfjs, in place of one registered before. It becomes active with
 * `setBackend('wasm')`. Tensors of an earlier `wasm` backend are gone.
 * @returns what the backend can do here
 * @throws never because of threads: without them the backend is single-threaded
 */
export async function registerWasm(options: WasmOptions = {}): Promise<WasmInfo> {
  const simd = (await env().getAsync('WASM_HAS_SIMD_SUPPORT')) === true
  const cores = globalThis.navigator?.hardwareConcurrency ?? 1
  const wanted = Math.min(MAX_THREADS, Math.max(1, Math.floor(options.threads ?? cores)))
  const paths = options.paths ?? builtInFiles
  removeBackend('wasm')

  let reason = obstacle(simd, wanted, paths)
  if (reason === '' && typeof paths !== 'string') {
    try {
      const { backend, threads } = await startThreads(paths, wanted)
      registerBackend('wasm', () => backend, PRIORITY)
      return { simd, threads, reason: '' }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      reason = `Threads could not start: ${why.replace(/\.$/, '')}.`
    }
  }

  // Otherwise tfjs would pick the threaded binary and wait for ever for workers that the policy refuses.
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false)
  if (typeof paths === 'string') setWasmPaths(paths)
  else
    setWasmPaths({
      'tfjs-backend-wasm.wasm': paths.plain,
      'tfjs-backend-wasm-simd.wasm': paths.simd,
      'tfjs-backend-wasm-threaded-simd.wasm': paths.threadedSimd,
    })
  registerBackend('wasm', singleThreaded, PRIORITY)
  return { simd, threads: 1, reason }
}
