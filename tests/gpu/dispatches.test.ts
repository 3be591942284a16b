// What a LoRA step asks of the GPU: dispatches per block and outside of the blocks, no readback inside the step. Counts are
// the same on every adapter that has as many bindings.
import { expect, test } from 'vitest'
import * as tf from '@tensorflow/tfjs-core'
import { storeAdaptation } from '../../src/core/adapters/adaptation.ts'
import { initialParameters } from '../../src/core/adapters/parameters.ts'
import { planAdapter } from '../../src/core/adapters/plan.ts'
import { baseValues } from '../../src/core/adapters/baseValues.ts'
import { startBackend } from '../../src/core/backend/register.ts'
import { decode } from '../../src/core/generate/generate.ts'
import { GREEDY } from '../../src/core/generate/sampler.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { ParameterStore } from '../../src/core/optim/parameters.ts'
import { exampleBatch, lossAndGradients } from '../../src/core/train/objective.ts'
import { Turns } from '../../src/core/turns.ts'
import { defaultAdapter } from '../../src/protocol/settings.ts'
import { loadTiny } from '../golden/follow.ts'

/** Of a block, forward and backward with its forward pass again; and of everything else in a step. */
const PER_BLOCK = 45
const OUTSIDE = 20
/** Storage buffers that every WebGPU device lets a kernel be bound to. */
const BINDINGS = 8

const CASES = [
  { name: 'tiny-llama', dropout: 0 },
  { name: 'tiny-qwen3', dropout: 0 },
  { name: 'tiny-gpt2', dropout: 0 },
  { name: 'tiny-bert', dropout: 0 },
  // With dropout layers go one by one.
  { name: 'tiny-qwen2', dropout: 0.1 },
] as const

test.each(CASES)('a LoRA step of $name, dropout $dropout', async ({ name, dropout }) => {
  await startBackend('webgpu', {
    onFault(fault) {
      throw fault
    },
  })
  const { model, source } = await loadTiny(name, opsFor('webgpu'))
  const config = { ...defaultAdapter(), r: 4, alpha: 8 }
  const labels = model.parts.head === null || name === 'tiny-bert' ? 3 : null
  const plan = planAdapter(model.family, model.architecture, config, labels, false)
  const store = new ParameterStore(
    model.ops,
    await initialParameters(plan, config, 1, baseValues(model, source)),
  )
  const ids = [1, 2, 3, 4, 5, 6, 7, 8]
  const counts = { blocks: 0, outside: 0, readbacks: 0, bindings: 0 }
  let inside = false
  const restore = counting({
    dispatch: () => void counts[inside ? 'blocks' : 'outside']++,
    readback: () => void counts.readbacks++,
    bindings: (count) => void (counts.bindings = Math.max(counts.bindings, count)),
  })
  for (const block of model.parts.blocks) {
    const { forwardAndBack } = block
    const within = <T>(work: () => T): T => {
      inside = true
      const result = work()
      inside = false
      return result
    }
    block.forwardAndBack = (...given) => {
      const { y, back } = within(() => forwardAndBack.apply(block, given))
      return { y, back: (dy, sink) => within(() => back(dy, sink)) }
    }
  }
  try {
    const batch = exampleBatch([labels === null ? { ids, labels: ids } : { ids, label: 1 }], 0, 64)
    const trainable = {
      adaptation: storeAdaptation(store, plan, { rate: dropout, seed: 1, step: 0 }),
      classify: labels !== null,
    }
    const { loss, energy } = lossAndGradients(model, batch, trainable, 1 / batch.labelCount, store.gradients)
    const hyper = {
      learningRate: 1e-3,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      clip: 1,
      step: 1,
    }
    const norm = store.step(hyper)
    batch.dispose()
    expect(counts.readbacks).toBe(0)
    expect(counts.bindings).toBeGreaterThan(4)
    expect(counts.bindings, 'storage buffers of a kernel').toBeLessThanOrEqual(BINDINGS)
    const perBlock = counts.blocks / model.parts.blocks.length
    expect(perBlock).toBeGreaterThan(20) // as few would mean that nothing was counted
    if (dropout === 0) expect(perBlock).toBeLessThanOrEqual(PER_BLOCK)
    expect(counts.outside).toBeGreaterThan(5)
    // A classifier's own layers are trained by general ops.
    if (labels === null) expect(counts.outside).toBeLessThanOrEqual(OUTSIDE)
    tf.dispose([loss, energy, norm])
  } finally {
    restore()
    store.dispose()
    model.dispose()
  }
})

const ANSWERS = [
  // Projections, attention, output, gate and up, down; the embedding, the head, and two for the choice.
  { name: 'tiny-llama', perBlock: 5, outside: 4 },
  { name: 'tiny-qwen3', perBlock: 5, outside: 4 },
  // Learned positions take a gather and a sum.
  { name: 'tiny-gpt2', perBlock: 5, outside: 6 },
  // Every product has the low-rank halves of its adapters.
  { name: 'tiny-llama', adapter: true, perBlock: 9, outside: 4 },
] as const

test.each(ANSWERS)('a token of an answer: %o', async ({ name, perBlock, outside, ...given }) => {
  await startBackend('webgpu', {
    onFault(fault) {
      throw fault
    },
  })
  const { model, source } = await loadTiny(name, opsFor('webgpu'))
  const config = { ...defaultAdapter(), r: 4, alpha: 8 }
  const plan = planAdapter(model.family, model.architecture, config, null, false)
  const store =
    'adapter' in given
      ? new ParameterStore(model.ops, await initialParameters(plan, config, 1, baseValues(model, source)))
      : null
  const counts = { dispatches: 0, readbacks: 0, bindings: 0, groups: 0 }
  const seen: (typeof counts)[] = []
  const restore = counting({
    dispatch: () => void counts.dispatches++,
    readback: () => void counts.readbacks++,
    bindings(count) {
      counts.bindings = Math.max(counts.bindings, count)
      counts.groups++
    },
  })
  try {
    await decode({
      model,
      adaptation: () => (store ? storeAdaptation(store, plan) : null),
      turns: new Turns(),
      prompt: [1, 2, 3],
      maxTokens: 9,
      endIds: new Set(),
      sampling: { ...GREEDY, temperature: 1, topK: 5, topP: 0.9, minP: 0.01 },
      onToken() {
        seen.push({ ...counts })
        return false
      },
    })
  } finally {
    restore()
    store?.dispose()
    model.dispose()
  }
  expect(counts.bindings).toBeLessThanOrEqual(BINDINGS)
  const tokens = 4
  const [from, to] = [seen[2]!, seen[2 + tokens]!]
  expect((to.readbacks - from.readbacks) / tokens).toBe(1)
  expect(to.groups, 'bind groups made while a recorded token is replayed').toBe(from.groups)
  const each = (to.dispatches - from.dispatches) / tokens
  expect(each).toBe(perBlock * model.parts.blocks.length + outside)
})

interface Watch {
  dispatch(): void
  readback(): void
  bindings(storageBuffers: number): void
}

/** Tells of every dispatch, readback and group of bindings, on a device with the least of limits, until the returned
 *  function is called. */
function counting(watch: Watch): () => void {
  const pass = GPUComputePassEncoder.prototype
  const buffer = GPUBuffer.prototype
  const device = GPUDevice.prototype
  const limits = GPUSupportedLimits.prototype
  const { dispatchWorkgroups } = pass
  const { mapAsync } = buffer
  const { createBindGroup } = device
  const limit = Object.getOwnPropertyDescriptor(limits, 'maxStorageBuffersPerShaderStage')!
  pass.dispatchWorkgroups = function (...groups) {
    watch.dispatch()
    dispatchWorkgroups.apply(this, groups)
  }
  buffer.mapAsync = function (...given) {
    watch.readback()
    return mapAsync.apply(this, given)
  }
  device.createBindGroup = function (descriptor) {
    watch.bindings([...descriptor.entries].length - 1) // all but the uniforms
    return createBindGroup.call(this, descriptor)
  }
  Object.defineProperty(limits, 'maxStorageBuffersPerShaderStage', { ...limit, get: () => BINDINGS })
  return () => {
    pass.dispatchWorkgroups = dispatchWorkgroups
    buffer.mapAsync = mapAsync
    device.createBindGroup = createBindGroup
    Object.defineProperty(limits, 'maxStorageBuffersPerShaderStage', limit)
  }
}
