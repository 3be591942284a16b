// Heads switched off where queries, keys and values are joined: the logits of transformers
// (tools/golden/attention_maps.py); and with every head on, what it was without switches.
import { expect, test } from 'vitest'
import * as tf from '@tensorflow/tfjs-core'
import { startBackend } from '../../src/core/backend/register.ts'
import { ablated } from '../../src/core/explain/attention/ablation.ts'
import { tokenBatch } from '../../src/core/nn/batch.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { Turns } from '../../src/core/turns.ts'
import type { HeadPlace } from '../../src/protocol/explain.ts'
import { loadTiny } from '../golden/follow.ts'
import { ATTENTION_MAPS } from '../golden/load.ts'

const CASES = [
  { name: 'tiny-llama', fill: 'zero' },
  { name: 'tiny-bert', fill: 'mean' },
] as const

test.each(CASES)('$name, one head at a time, filled with $fill', async ({ name, fill }) => {
  await startBackend('webgpu', {
    onFault(fault) {
      throw fault
    },
  })
  const { model } = await loadTiny(name, opsFor('webgpu'))
  const { ids, position, outputs, each, together, whole } = ATTENTION_MAPS[name]!
  const { layers, heads } = model.architecture
  const sets = Array.from({ length: layers * heads }, (_, at): HeadPlace[] => [
    [Math.floor(at / heads), at % heads],
  ])
  const trainable = { adaptation: null, classify: false }
  const asked = { model, trainable, turns: new Turns(), padId: 0, maskId: null }
  const question = { ids, position }
  const found = await ablated(asked, question, [...sets, together.heads, []], outputs, { fill })
  ;[...each[fill], together[fill], whole].forEach((expected, at) =>
    [found.logits[2 * at]!, found.logits[2 * at + 1]!, found.logSums[at]!].forEach((value, k) =>
      expect(Math.abs(value - expected[k]!)).toBeLessThan(1e-4),
    ),
  )

  // The same block without switches: the same bits, and fewer dispatches.
  const batch = tokenBatch([ids], 0, ids.length)
  const pass = model.pass(batch, null)
  const x = model.embed(batch.ids, pass)
  const factors = tf.ones([1, 1, heads, 1])
  const block = model.parts.blocks[0]!
  const run = async (with_: typeof pass) => {
    const counted = counting()
    const y = tf.tidy(() => block.forward(x, with_))
    return { bits: await y.data(), dispatches: counted() }
  }
  const on = await run({ ...pass, heads: { factors, fill } })
  const plain = await run(pass)
  expect(plain.bits).toEqual(on.bits)
  expect(plain.dispatches).toBeGreaterThan(0)
  expect(plain.dispatches).toBeLessThan(on.dispatches)
  batch.dispose()
  model.dispose()
})

/** Counts dispatches until it is called. */
function counting(): () => number {
  const { prototype } = GPUComputePassEncoder
  const original = prototype.dispatchWorkgroups
  let count = 0
  prototype.dispatchWorkgroups = function (...args) {
    count++
    return original.apply(this, args)
  }
  return () => {
    prototype.dispatchWorkgroups = original
    return count
  }
}
