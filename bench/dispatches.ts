// Counts what one LoRA step asks of WebGPU, kernel by kernel: dispatches in a block's forward pass, in its backward pass
// (with the forward pass that it computes again), and outside the blocks; submits and readbacks. Counts are the same on
// every adapter, so a small random model on Dawn and a software adapter is enough.
//   npx vite build --ssr bench/dispatches.ts --outDir .cache/bench
//   LD_LIBRARY_PATH=/usr/lib/chromium VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json node .cache/bench/dispatches.js [family] [precision] [tokens] [--list]
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { create, globals } from 'webgpu'
import type { Precision } from '../src/protocol/model.ts'

const LAYERS = 3
const STEPS = 3

const common = { num_hidden_layers: LAYERS, hidden_size: 64, intermediate_size: 128, vocab_size: 320 }
const heads = { num_attention_heads: 4, num_key_value_heads: 2, head_dim: 16, max_position_embeddings: 512 }
const CONFIGS: Record<string, Record<string, unknown>> = {
  llama: { model_type: 'llama', ...common, ...heads, tie_word_embeddings: true },
  qwen2: { model_type: 'qwen2', ...common, ...heads, tie_word_embeddings: true },
  qwen3: { model_type: 'qwen3', ...common, ...heads, tie_word_embeddings: true },
  gpt2: { model_type: 'gpt2', n_layer: LAYERS, n_embd: 64, n_head: 4, n_positions: 512, vocab_size: 320 },
}

const args = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))
const [family = 'llama', precision = 'f32', length = '64'] = args

Object.assign(globalThis, globals)
Object.defineProperty(globalThis, 'navigator', {
  value: { gpu: create(['backend=vulkan']) },
  configurable: true,
})
// The backend looks for the GPU's classes when it is loaded.
const { startBackend } = await import('../src/core/backend/register.ts')
const { opsFor } = await import('../src/core/ops/index.ts')
const { recogniseModel } = await import('../src/core/models/registry.ts')
const { tensorSpecs } = await import('../src/core/models/tensors.ts')
const { loadTransformer } = await import('../src/core/models/load.ts')
const { planAdapter } = await import('../src/core/adapters/plan.ts')
const { storeAdaptation } = await import('../src/core/adapters/adaptation.ts')
const { loraNames } = await import('../src/core/nn/adaptation.ts')
const { ParameterStore } = await import('../src/core/optim/parameters.ts')
const { exampleBatch, lossAndGradients, readScalars } = await import('../src/core/train/objective.ts')
const { normals } = await import('../src/core/rng.ts')
const { defaultAdapter } = await import('../src/protocol/settings.ts')
const { backend: currentBackend } = await import('@tensorflow/tfjs-core')

let place = 'start'
const counts = new Map<string, Map<string, number>>()
function note(kernel: string): void {
  const at = counts.get(place) ?? new Map<string, number>()
  counts.set(place, at.set(kernel, (at.get(kernel) ?? 0) + 1))
}

await startBackend('webgpu', {
  onFault(fault) {
    throw fault
  },
})
const backend = currentBackend() as WebGPUBackend
const names = new WeakMap<GPUComputePipeline, string>()
const { createComputePipeline } = GPUDevice.prototype
GPUDevice.prototype.createComputePipeline = function (descriptor) {
  const pipeline = createComputePipeline.call(this, descriptor)
  names.set(pipeline, descriptor.label ?? 'unnamed')
  return pipeline
}
const pass = GPUComputePassEncoder.prototype
const { setPipeline, dispatchWorkgroups } = pass
let kernel = ''
pass.setPipeline = function (pipeline) {
  kernel = names.get(pipeline) ?? 'unnamed'
  setPipeline.call(this, pipeline)
}
pass.dispatchWorkgroups = function (...groups) {
  note(kernel)
  dispatchWorkgroups.apply(this, groups)
}
const counted = { submits: 0, readbacks: 0, uploads: 0 }
const { submit, writeBuffer } = GPUQueue.prototype
GPUQueue.prototype.submit = function (buffers) {
  counted.submits++
  submit.call(this, buffers)
}
GPUQueue.prototype.writeBuffer = function (...given) {
  counted.uploads++
  return (writeBuffer as (...args: unknown[]) => undefined).apply(this, given)
}
const { mapAsync } = GPUBuffer.prototype
GPUBuffer.prototype.mapAsync = function (...given) {
  counted.readbacks++
  return mapAsync.apply(this, given)
}

const { family: described, architecture } = recogniseModel(CONFIGS[family]!)
const specs = new Map(tensorSpecs(described, architecture).map((spec) => [spec.name, spec]))
const random = (name: string) => {
  const { shape, transposed } = specs.get(name)!
  const values = normals({ seed: 1, purpose: 'init', layer: [...specs.keys()].indexOf(name) }, sizeOf(shape))
  return { shape: transposed ? [...shape].reverse() : shape, values: values.map((z) => z * 0.05) }
}
const sizeOf = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1)
const model = await loadTransformer(
  described,
  architecture,
  {
    has: (name) => specs.has(name),
    shape: (name) => random(name).shape,
    read: (name) => Promise.resolve(Float32Array.from(random(name).values)),
    rows(name, begin, end) {
      const { shape, values } = random(name)
      return Promise.resolve(Float32Array.from(values.slice(begin * shape[1]!, end * shape[1]!)))
    },
  },
  opsFor('webgpu'),
  { precision: precision as Precision },
)
const plan = planAdapter(described, architecture, { ...defaultAdapter(), r: 8, alpha: 16 }, null, false)
const initial = plan.layers.flatMap(({ path, r, shape: [out, inputs] }, layer) => {
  const values = (size: number) =>
    normals({ seed: 2, purpose: 'init', layer }, size).map((z) => z * 0.02) as Float32Array
  const { a, b } = loraNames(path)
  return [
    { name: a, shape: [r, inputs], values: Float32Array.from(values(r * inputs)), decay: true, rate: 1 },
    { name: b, shape: [out, r], values: Float32Array.from(values(out * r)), decay: true, rate: 1 },
  ]
})
const bytes = () => (backend.memory() as unknown as { numBytesAllocatedInGPU: number }).numBytesAllocatedInGPU

function within<T>(name: string, work: () => T): T {
  const before = place
  place = name
  try {
    return work()
  } finally {
    place = before
  }
}
for (const block of model.parts.blocks) {
  const { forwardAndBack } = block
  block.forwardAndBack = (...given) => {
    const { y, back } = within('forward', () => forwardAndBack.apply(block, given))
    return { y, back: (dy, sink) => within('backward', () => back(dy, sink)) }
  }
}

/** A few steps from the beginning; the last loss and everything that was learnt. */
async function train(): Promise<Float32Array<ArrayBuffer>> {
  const store = new ParameterStore(model.ops, initial)
  const ids = Array.from({ length: Number(length) }, (_, i) => (i * 37 + 11) % 320)
  let last: Float32Array = new Float32Array()
  for (let step = 1; step <= STEPS; step++) {
    counts.clear()
    Object.assign(counted, { submits: 0, readbacks: 0, uploads: 0 })
    place = 'outside'
    const batch = exampleBatch([{ ids, labels: ids }], 0, 512)
    const trainable = { adaptation: storeAdaptation(store, plan), classify: false }
    const { loss, energy } = lossAndGradients(model, batch, trainable, 1 / batch.labelCount, store.gradients)
    const hyper = {
      learningRate: 1e-3,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      clip: 1,
      step,
    }
    const norm = store.step(hyper)
    batch.dispose()
    place = 'reading'
    if (step === STEPS) report()
    last = await readScalars([loss, energy, norm])
  }
  const { values } = await store.snapshot()
  store.dispose()
  return Float32Array.from([...last, ...Object.values(values).flatMap((each) => [...each])])
}

let told = false
function report(): void {
  if (told) return
  told = true
  const total = (name: string) => [...(counts.get(name)?.values() ?? [])].reduce((sum, n) => sum + n, 0)
  const perBlock = (name: string) => total(name) / LAYERS
  console.log(`${family} ${precision}, ${length} tokens, ${LAYERS} blocks, one step:`)
  console.log(`  a block, forward                  ${perBlock('forward')}`)
  console.log(`  a block, forward again + backward ${perBlock('backward')}`)
  console.log(`  a block                           ${perBlock('forward') + perBlock('backward')}`)
  console.log(`  outside the blocks                ${total('outside')}`)
  console.log(`  submits ${counted.submits}, readbacks ${counted.readbacks}, writeBuffer ${counted.uploads}`)
  console.log(`  bytes in the pool ${bytes()}`)
  if (!process.argv.includes('--list')) return
  for (const [name, kernels] of counts)
    for (const [each, n] of kernels) console.log(`    ${name.padEnd(10)}${String(n).padStart(5)}  ${each}`)
}

const [first, second] = [await train(), await train()]
const same = first.length === second.length && first.every((value, i) => Object.is(value, second[i]))
console.log(`  loss ${first[0]}, norm ${first[2]}; the same bits twice: ${same ? 'yes' : 'NO'}`)
process.exit(same ? 0 : 1)
