// Starts tfjs's threaded WASM binary, whose memory threads can share, and the helpers of our own kernels over that memory.
// tfjs can start it by itself, but not here: it makes its thread workers from blob: URLs, which our content security policy
// refuses. So this file does what `init` of tfjs's backend_wasm.ts does, with files of our own site.
// tfjs's own pool stays at one thread: between two ops its threads look for work for a millisecond on end, on cores that our
// helpers need, and nearly all work of a step is in our kernels.
import { BackendWasm, setThreadsCount } from '@tensorflow/tfjs-backend-wasm'
import factory from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js'
import { GraftError } from '../../protocol/errors.ts'
import { useKernels, WasmKernels } from '../ops/reference/wasmKernels.ts'
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

async function startModule(files: WasmFiles): Promise<ThreadedModule> {
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
        memory = imports['env']!['memory'] as WebAssembly.Memory
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

/** Starts the helpers and waits until each is ready. */
async function startHelpers(files: WasmFiles, kernels: WasmKernels, count: number): Promise<Worker[]> {
  const workers = Array.from({ length: count }, () => new Worker(trustedScript(files.helper)))
  const ready = workers.map(
    (worker, i) =>
      new Promise<void>((resolve, reject) => {
        worker.onerror = (event) => {
          event.preventDefault()
          reject(
            new Error(
              `a helper could not start (${event.message || 'its script was refused or is missing'})`,
            ),
          )
        }
        worker.onmessage = () => resolve()
        worker.postMessage(kernels.taskOf(i + 1))
      }),
  )
  try {
    await within(Promise.all(ready), 'The helpers')
    return workers
  } catch (error) {
    for (const worker of workers) worker.terminate()
    throw error
  }
}

/**
 * A WASM backend whose kernels share their work with helpers, not yet registered with tfjs.
 * @param files where its files are
 * @param threads how many threads share the work, the caller's included; from 2
 * @returns the backend and the number of threads
 * @throws Error when the browser refuses workers, shared memory or a file; nothing is left running then
 */
export async function startThreads(
  files: WasmFiles,
  threads: number,
): Promise<{ backend: BackendWasm; threads: number }> {
  await checkWorker(files)
  const module = await startModule(files)
  // The binary always starts eight workers, which would only hold memory.
  for (const worker of module.PThread.unusedWorkers.splice(0)) worker.terminate()
  addCalls(module)
  setThreadsCount(1)
  const backend = new BackendWasm(module as unknown as BackendWasm['wasm'])
  const kernels = WasmKernels.over(module, threads)
  if (!kernels)
    throw new GraftError('E_INTERNAL', 'The kernels of the WebAssembly backend could not be made.')
  const helpers = await startHelpers(files, kernels, threads - 1)
  kernels.threads = threads
  useKernels(module, kernels)
  const dispose = backend.dispose.bind(backend)
  backend.dispose = () => {
    kernels.threads = 1
    for (const helper of helpers) helper.terminate()
    dispose()
  }
  return { backend, threads }
}
