// Heads switched off where queries, keys and values are joined: the logits of transformers
// (tools/golden/attention_maps.py).
import { expect, test } from 'vitest'
import { startBackend } from '../../src/core/backend/register.ts'
import { ablated } from '../../src/core/explain/attention/ablation.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import { Turns } from '../../src/core/turns.ts'
import { HEAD_FILLS, type HeadPlace } from '../../src/protocol/explain.ts'
import { loadTiny } from '../golden/follow.ts'
import { ATTENTION_MAPS } from '../golden/load.ts'

test.each(['tiny-llama', 'tiny-bert'] as const)('%s, one head at a time', async (name) => {
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
  for (const fill of HEAD_FILLS) {
    const { logits, logSums } = await ablated(
      asked,
      { ids, position },
      [...sets, together.heads, []],
      outputs,
      {
        fill,
      },
    )
    ;[...each[fill], together[fill], whole].forEach((expected, at) =>
      [logits[2 * at]!, logits[2 * at + 1]!, logSums[at]!].forEach((value, k) =>
        expect(Math.abs(value - expected[k]!)).toBeLessThan(1e-4),
      ),
    )
  }
  model.dispose()
})
