// Starts tfjs's threaded WASM binary. tfjs can do this itself, but not here:
// - it makes its thread workers from blob: URLs, which our content security policy refuses; and
// - its binary caps the thread pool at half of the logical cores (backend.cc, `num_cores`), whatever
//   setThreadsCount() asks for: one thread on a machine with two cores. The cap is read through an import of the
//   binary, which can be answered with another number.
// So this file does what `init` of tfjs's backend_wasm.ts does, with files of our own site and our own count.
import { BackendWasm, getThreadsCount, setThreadsCount } from '@tensorflow/tfjs-backend-wasm'
import factory from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js'
import { trustedScript } from './trustedScript.ts'
import type { WasmFiles } from './wasmFiles.ts'

/** Time for one worker, or for all threads, to start: a blocked script gives no event in some browsers. */
const START_LIMIT_MS = 10_000

/** Emscripten's module, as far as it is used here. Its own typings know neither Trusted Types nor the pool. */
interface ThreadedModule {
  cwrap(name: string, returns: string | null, takes: string[]): (...args: number[]) => number
  PThread: { unusedWorkers: Worker[]; terminateAllThreads(): void }
  tfjs?: unknown
}
interface ModuleOptions extends Partial<ThreadedModule> {
  mainScriptUrlOrBlob: string
  locateFile(path: string): unknown
  instantiateWasm(imports: WebAssembly.Imports, receive: Receive): object
  onAbort(reason: unknown): void
  printErr(text: string): void
}
type Receive = (instance: WebAssembly.Instance, module: WebAssembly.Module) => void
type Factory = (options: ModuleOptions) => Promise<ThreadedModule>

/** Rejects when `work` takes longer than the limit. */
async function within<T>(work: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    const seconds = START_LIMIT_MS / 1000
    timer = setTimeout(() => reject(new Error(`${what} did not start within ${seconds} s`)), START_LIMIT_MS)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Starts one thread worker for a moment: Emscripten would report one that cannot start as an uncaught error. */
async function checkWorker(files: WasmFiles): Promise<void> {
  const worker = new Worker(trustedScript(files.thread))
  const answer = new Promise<void>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`a thread worker could not start (${why})`))
    worker.onerror = (event) => {
      event.preventDefault()
      fail(event.message || 'its script was refused or is missing')
    }
    worker.onmessage = ({ data }: MessageEvent<{ ok: boolean }>) => (data.ok ? resolve() : fail('no runtime'))
  })
  worker.postMessage({ cmd: 'check', script: new URL(files.runtime, self.location.href).href })
  return within(answer, 'A thread worker').finally(() => worker.terminate())
}

/** Adds the calls that BackendWasm makes, under the names it knows. */
function addCalls(module: ThreadedModule): void {
  module.tfjs = {
    init: module.cwrap('init', null, []),
    initWithThreadsCount: module.cwrap('init_with_threads_count', null, ['number']),
    getThreadsCount: module.cwrap('get_threads_count', 'number', []),
    registerTensor: module.cwrap('register_tensor', null, ['number', 'number', 'number']),
    disposeData: module.cwrap('dispose_data', null, ['number']),
    dispose: module.cwrap('dispose', null, []),
  }
}

async function startModule(files: WasmFiles, threads: number): Promise<ThreadedModule> {
  const response = await fetch(files.threadedSimd)
  if (!response.ok) throw new Error(`${files.threadedSimd} answered with status ${response.status}`)
  const binary = await response.arrayBuffer()
  let lastWords = ''
  let options: ModuleOptions | undefined
  let memory: WebAssembly.Memory | undefined
  const started = new Promise<ThreadedModule>((resolve, reject) => {
    options = {
      mainScriptUrlOrBlob: new URL(files.runtime, self.location.href).href,
      locateFile: (path) => (path.endsWith('.worker.js') ? trustedScript(files.thread) : files.threadedSimd),
      instantiateWasm: (imports, receive) => {
        // Twice the count, because the binary halves it.
        memory = imports['env']!['memory'] as WebAssembly.Memory
        imports['env']!['emscripten_num_logical_cores'] = () => threads * 2
        WebAssembly.instantiate(binary, imports)
          .then(({ instance, module }) => receive(instance, module))
          .catch(reject)
        return {}
      },
      onAbort: (reason) => reject(new Error(`the WASM module stopped (${String(reason)}) ${lastWords}`)),
      printErr: (text) => (lastWords = text),
    }
    ;(factory as unknown as Factory)(options).then(resolve, reject)
  })
  try {
    const module = await within(started, 'The WASM threads')
    return Object.assign(module, { wasmMemory: memory })
  } catch (error) {
    options?.PThread?.terminateAllThreads()
    throw error
  }
}

/**
 * A WASM backend with a pool of real threads, not yet registered with tfjs.
 * @param files where its files are
 * @param threads how many threads share the work, the caller's included; 2 to 8 (the pool of tfjs's binary)
 * @returns the backend and the number of threads it really has
 * @throws Error when the browser refuses workers, shared memory or a file; nothing is left running then
 */
export async function startThreads(
  files: WasmFiles,
  threads: number,
): Promise<{ backend: BackendWasm; threads: number }> {
  await checkWorker(files)
  const module = await startModule(files, threads)
  addCalls(module)
  setThreadsCount(threads)
  const backend = new BackendWasm(module as unknown as BackendWasm['wasm'])
  // The binary always starts eight workers; those without a thread would only hold memory.
  for (const worker of module.PThread.unusedWorkers.splice(0)) worker.terminate()
  return { backend, threads: getThreadsCount() }
}
