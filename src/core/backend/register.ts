// Starts the backend that the engine computes on: WebGPU on our own device, else WebAssembly, else plain JavaScript.
// Why a backend was passed over is kept in `reason`: nothing is refused silently.
import { engine, env, registerBackend, removeBackend, setBackend } from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import type { BackendName } from '../../protocol/engine.ts'
import { GraftError } from '../../protocol/errors.ts'
import { startTuning } from '../ops/webgpu/tuning/start.ts'
import type { TuningMemory } from '../ops/webgpu/tuning/tuner.ts'
import { messageOf, requestOwnDevice } from './device.ts'
import { gpuFault } from './errorScopes.ts'
import { followAllocations, guardWasmMemory, resetPeak } from './memory.ts'
import { selfCheck } from './selfCheck.ts'
import { registerWasm, type WasmFiles } from './wasm.ts'

export interface BackendOptions {
  /** Where the WASM files are, if not in this build: see registerWasm. */
  wasmPaths?: string | WasmFiles
  /** Where the kernels that suit a GPU are remembered; without it they are found anew each time. */
  tuning?: TuningMemory
  /** Threads of WASM; default: all that registerWasm finds. */
  wasmThreads?: number
  /** Told of every fault that no call reports: E_DEVICE_LOST, E_GPU, E_MEMORY. */
  onFault(error: GraftError): void
}

export interface StartedBackend {
  name: BackendName
  /** Why this one, and what was refused before it. */
  reason: string
  /** The GPU's own description, or what the CPU offers. */
  adapter: string
  features: string[]
  limits: Record<string, number>
}

type Started = Omit<StartedBackend, 'name' | 'reason'>

/** tfjs's packed matrix product, the only one of its programs that is right for every shape. */
const PACKED_MATMUL = 3

const ORDER: BackendName[] = ['webgpu', 'wasm', 'cpu']
const TITLES: Record<BackendName, string> = { webgpu: 'WebGPU', wasm: 'WebAssembly', cpu: 'Plain JavaScript' }
const PRIORITY = 3

/** The device under the WebGPU backend, while there is one. */
let running: { device: GPUDevice; stopped: boolean } | null = null

/**
 * Starts a backend and makes it tfjs's current one. To switch later, dispose every tensor first, then call again.
 * @param choice `auto` takes the first of webgpu, wasm and cpu that starts and passes the self-check.
 * @throws E_NO_ADAPTER, E_GPU or E_MEMORY where the chosen backend cannot be used.
 */
export async function startBackend(
  choice: BackendName | 'auto',
  options: BackendOptions,
): Promise<StartedBackend> {
  const candidates = choice === 'auto' ? ORDER : [choice]
  const refusals: string[] = []
  for (const name of candidates) {
    try {
      const started = await start(name, options)
      await selfCheck()
      resetPeak()
      return { name, reason: reasonFor(name, choice, refusals), ...started }
    } catch (thrown) {
      if (name === 'webgpu') stopWebgpu()
      const why = messageOf(thrown)
      if (choice !== 'auto') {
        const code = thrown instanceof GraftError ? thrown.code : 'E_INTERNAL'
        throw new GraftError(
          code,
          `${TITLES[name]} could not be started: ${why}`,
          { backend: name },
          { cause: thrown },
        )
      }
      refusals.push(`${TITLES[name]} was refused: ${why}`)
    }
  }
  throw new GraftError('E_INTERNAL', `No backend could be started. ${refusals.join(' ')}`)
}

function reasonFor(name: BackendName, choice: BackendName | 'auto', refusals: string[]): string {
  if (choice !== 'auto') return `${TITLES[name]}, as chosen.`
  if (refusals.length === 0) return `${TITLES[name]}, the fastest this browser offers.`
  return `${TITLES[name]}, because faster ones are not to be had. ${refusals.join(' ')}`
}

async function start(name: BackendName, options: BackendOptions): Promise<Started> {
  stopWebgpu()
  switch (name) {
    case 'webgpu':
      return startWebgpu(options)
    case 'wasm':
      return startWasm(options)
    case 'cpu':
      await choose('cpu')
      return { adapter: 'CPU, one JavaScript thread', features: [], limits: {} }
    default:
      return name satisfies never
  }
}

async function startWebgpu({ onFault, tuning }: BackendOptions): Promise<Started> {
  const { device, info, description, features, limits } = await requestOwnDevice()
  const self = { device, stopped: false }
  running = self
  device.addEventListener('uncapturederror', (event) => {
    if (!self.stopped) onFault(gpuFault(event.error, 'While computing'))
  })
  void device.lost.then(({ message }) => {
    if (self.stopped) return
    onFault(
      new GraftError('E_DEVICE_LOST', 'The GPU was lost (a driver reset, or another program took it).', {
        gpu: message,
      }),
    )
  })
  await startTuning(device, info, tuning ?? null)
  env().set('WEBGPU_MATMUL_PROGRAM_TYPE', PACKED_MATMUL)
  // tfjs has registered a backend that would make a device of its own.
  if (engine().findBackendFactory('webgpu')) removeBackend('webgpu')
  registerBackend(
    'webgpu',
    () => {
      const backend = new WebGPUBackend(device, info)
      followAllocations(backend)
      return backend
    },
    PRIORITY,
  )
  await choose('webgpu')
  return { adapter: description, features, limits }
}

/** Takes the device away on purpose; its loss is then no fault. */
function stopWebgpu(): void {
  if (!running) return
  running.stopped = true
  if (engine().findBackendFactory('webgpu')) removeBackend('webgpu')
  running.device.destroy()
  running = null
}

async function startWasm({ wasmPaths, wasmThreads }: BackendOptions): Promise<Started> {
  const { simd, threads, reason } = await registerWasm({
    ...(wasmPaths !== undefined && { paths: wasmPaths }),
    ...(wasmThreads !== undefined && { threads: wasmThreads }),
  })
  await choose('wasm')
  guardWasmMemory()
  const described = [simd ? 'SIMD' : 'no SIMD', threads === 1 ? `1 thread. ${reason}` : `${threads} threads`]
  return {
    adapter: `CPU, ${described.join(', ')}`.trim(),
    features: [...(simd ? ['simd'] : []), ...(threads > 1 ? ['threads'] : [])],
    limits: { threads },
  }
}

async function choose(name: BackendName): Promise<void> {
  if (!(await setBackend(name))) {
    throw new GraftError(
      'E_INTERNAL',
      `it did not initialise: its files could not be loaded, or memory is short.`,
    )
  }
}
