// How long a kernel takes: by the GPU's own clock where it has one to read (timestamp-query), else by the wall clock around
// the queue, over so many dispatches that waiting for it hardly counts. Browsers round the GPU's clock to 0.1 ms.
import { backend as currentBackend, type Tensor } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { inErrorScopes } from '../../../backend/errorScopes.ts'
import { prepare, type Kernel } from '../runner.ts'

/** Milliseconds of one timing that are aimed at, and the most dispatches of it. */
const AIM = 2
const MOST = 16

/**
 * Milliseconds of one dispatch. The first run of a kernel, which compiles it, is not counted.
 * @throws E_GPU or E_MEMORY where the device refuses the kernel.
 */
export async function timeKernel(kernel: Kernel, written: Record<string, Tensor>): Promise<number> {
  return inErrorScopes('Trying out a kernel', async () => {
    const { encode, release } = prepare(kernel, written)
    try {
      await timed(encode, 1)
      const once = await timed(encode, 1)
      const repeats = Math.max(1, Math.min(MOST, Math.ceil(AIM / Math.max(once, 1e-3))))
      return repeats === 1 ? once : (await timed(encode, repeats)) / repeats
    } finally {
      release()
    }
  })
}

async function timed(encode: (pass: GPUComputePassEncoder) => void, repeats: number): Promise<number> {
  const { device } = currentBackend() as WebGPUBackend
  const clock = device.features.has('timestamp-query') ? gpuClock(device) : null
  try {
    const encoder = device.createCommandEncoder()
    const pass = encoder.beginComputePass(clock ? { timestampWrites: clock.writes } : {})
    for (let i = 0; i < repeats; i++) encode(pass)
    pass.end()
    clock?.resolve(encoder)
    const start = performance.now()
    device.queue.submit([encoder.finish()])
    await device.queue.onSubmittedWorkDone()
    const wall = performance.now() - start
    const own = clock ? await clock.read() : 0
    // A clock that stands still, or has run longer than the wall's, tells nothing.
    return own > 0 && own <= wall ? own : wall
  } finally {
    clock?.dispose()
  }
}

/** The two ends of a pass by the GPU's clock. */
function gpuClock(device: GPUDevice) {
  const querySet = device.createQuerySet({ type: 'timestamp', count: 2 })
  const bytes = 16
  const resolved = device.createBuffer({
    size: bytes,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  })
  const readable = device.createBuffer({
    size: bytes,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  })
  return {
    writes: { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
    resolve(encoder: GPUCommandEncoder): void {
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0)
      encoder.copyBufferToBuffer(resolved, 0, readable, 0, bytes)
    },
    /** Milliseconds. */
    async read(): Promise<number> {
      await readable.mapAsync(GPUMapMode.READ)
      const [begin, end] = new BigInt64Array(readable.getMappedRange()) as unknown as [bigint, bigint]
      return Number(end - begin) / 1e6
    },
    dispose(): void {
      for (const each of [querySet, resolved, readable]) each.destroy()
    },
  }
}
