// Bases in f16, int8 and NF4 against PyTorch with the weights that numpy and bitsandbytes make of them. Who calls the
// suite has started the backend.
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import { inspectLogits } from '../../src/core/explain/inspect.ts'
import type { Ops } from '../../src/core/ops/ops.ts'
import { loadTiny } from './follow.ts'
import { decode, familyGolden, padIdOf, relativeError, VARIANTS } from './load.ts'

const ONE_PASS = 1e-4

const ROUNDED = VARIANTS.filter(({ precision }) => precision !== undefined)

export function roundedSuite(title: string, ops: () => Ops): void {
  describe(title, () => {
    it('has every precision', () => {
      expect(new Set(ROUNDED.map(({ precision }) => precision))).toEqual(new Set(['f16', 'int8', 'nf4']))
    })

    it.each(ROUNDED.map((variant) => [variant.name, variant] as const))(
      'logits of %s',
      async (_, variant) => {
        const before = tf.memory().numTensors
        const { model } = await loadTiny(variant.model, ops(), {
          precision: variant.precision!,
          tables: variant.tables!,
        })
        const pad = padIdOf(familyGolden(variant.model))
        const base = { adaptation: null, classify: false }
        for (const { ids, logits } of variant.sequences!) {
          const ours = await inspectLogits(model, ids, base, pad)
          expect(ours.shape).toEqual(logits.shape)
          const error = relativeError(ours.logits, decode(logits))
          expect(error).toBeLessThan(ONE_PASS)
          // Nearer than the exact base, or the rounding was not seen at all.
          if (variant.errorToF32! > ONE_PASS) expect(error).toBeLessThan(variant.errorToF32! / 10)
        }
        model.dispose()
        expect(tf.memory().numTensors, 'tensors left behind').toBe(before)
      },
    )
  })
}
