// What the adapter can do at best, measured in the same run: a large matrix product, with Graft's kernel and with tfjs's,
// and a kernel that copies. Shares of these say more than shares of a data sheet.
import { backend as currentBackend, matMul, randomUniform, type Tensor2D } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { submitPending } from '../src/core/backend/errorScopes.ts'
import { opsFor } from '../src/core/ops/index.ts'
import { median } from './statistics.ts'

const REPEATS = 5
/** Dispatches of one timing: waiting for the queue costs more than a product. */
const BURST = 10
const COPY_BYTES = 128 * 2 ** 20
const THREADS = 256

export interface Ceiling {
  /** Operations a second of the faster of the two products, and which. */
  matmulFlops: number
  matmul: string
  /** Bytes read and written a second. */
  copyBytesPerSecond: number
}

export async function measureCeiling(sizes: readonly number[]): Promise<Ceiling> {
  const ops = opsFor('webgpu')
  const kernels = {
    Graft: (a: Tensor2D, b: Tensor2D) => ops.matmul(a, b),
    tfjs: (a: Tensor2D, b: Tensor2D) => matMul(a, b),
  }
  let best = { matmulFlops: 0, matmul: '' }
  for (const size of sizes) {
    const a = randomUniform([size, size], -1, 1, 'float32', 1) as Tensor2D
    const b = randomUniform([size, size], -1, 1, 'float32', 2) as Tensor2D
    for (const [name, multiply] of Object.entries(kernels)) {
      const seconds = await timed(() => multiply(a, b).dispose())
      const flops = (2 * size ** 3) / seconds
      if (flops > best.matmulFlops) best = { matmulFlops: flops, matmul: `${name}, ${size} x ${size}` }
    }
    a.dispose()
    b.dispose()
  }
  return { ...best, copyBytesPerSecond: await measureCopy() }
}

/** Median seconds of one piece of work, waiting once for many of them. */
async function timed(work: () => void): Promise<number> {
  const backend = currentBackend() as WebGPUBackend
  const times: number[] = []
  for (let repeat = 0; repeat <= REPEATS; repeat++) {
    const start = performance.now()
    for (let i = 0; i < BURST; i++) work()
    submitPending(backend)
    await backend.queue.onSubmittedWorkDone()
    if (repeat > 0) times.push((performance.now() - start) / 1000 / BURST)
  }
  return median(times)
}

async function measureCopy(): Promise<number> {
  const { device } = currentBackend() as WebGPUBackend
  const bytes = Math.min(COPY_BYTES, device.limits.maxStorageBufferBindingSize)
  const vectors = Math.floor(bytes / 16)
  const usage = GPUBufferUsage.STORAGE
  const source = device.createBuffer({ size: bytes, usage })
  const target = device.createBuffer({ size: bytes, usage })
  const module = device.createShaderModule({
    code: `
      @group(0) @binding(0) var<storage, read> before: array<vec4f>;
      @group(0) @binding(1) var<storage, read_write> after: array<vec4f>;
      @compute @workgroup_size(${THREADS})
      fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
        let stride = groups.x * ${THREADS}u;
        for (var i = id.x; i < ${vectors}u; i += stride) { after[i] = before[i]; }
      }`,
  })
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } })
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [source, target].map((buffer, binding) => ({ binding, resource: { buffer } })),
  })
  const times: number[] = []
  for (let repeat = 0; repeat <= REPEATS; repeat++) {
    const start = performance.now()
    const encoder = device.createCommandEncoder()
    const pass = encoder.beginComputePass()
    pass.setPipeline(pipeline)
    pass.setBindGroup(0, group)
    for (let i = 0; i < BURST; i++) pass.dispatchWorkgroups(Math.min(65_535, Math.ceil(vectors / THREADS)))
    pass.end()
    device.queue.submit([encoder.finish()])
    await device.queue.onSubmittedWorkDone()
    if (repeat > 0) times.push((performance.now() - start) / 1000 / BURST)
  }
  source.destroy()
  target.destroy()
  return (2 * vectors * 16) / median(times)
}
