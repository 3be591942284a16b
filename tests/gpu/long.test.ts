// A hundred steps against PyTorch, on every precision of a base: with blocks computed again and everything kept, packed and
// not, replayed and computed call by call. Past the first dozens of steps every cache is warm and every buffer has changed
// hands many times.
import { beforeAll, describe, expect, it } from 'vitest'
import { planAdapter } from '../../src/core/adapters/plan.ts'
import { startBackend } from '../../src/core/backend/register.ts'
import { opsFor } from '../../src/core/ops/index.ts'
import type { Precision } from '../../src/protocol/model.ts'
import type { Checkpointing } from '../../src/protocol/run.ts'
import { defaultAdapter } from '../../src/protocol/settings.ts'
import { follow, loadTiny } from '../golden/follow.ts'
import { decodeAll, familyGolden, LONG, padIdOf, relativeError } from '../golden/load.ts'

const TOLERANCE = 1e-3

beforeAll(async () => {
  await startBackend('webgpu', {
    onFault: (error) => {
      throw error
    },
  })
})

interface Way {
  precision: Precision
  checkpointing: Checkpointing
  packing: boolean
  recorded: boolean
}

type Choices = readonly [Way['precision'], Way['checkpointing'], Way['packing'], Way['recorded']]

/** A software GPU takes its time: the way that is farthest from what shorter tests follow (f32, everything kept), and all of
 *  them as a suite of their own. */
const SOME: readonly Choices[] = [['nf4', 'block', false, true]]

/** All 32 ways: `npm run check:long`. */
function every(): Choices[] {
  return (['f32', 'f16', 'int8', 'nf4'] as const).flatMap((precision) =>
    (['block', 'none'] as const).flatMap((checkpointing) =>
      [true, false].flatMap((packing) =>
        [true, false].map((recorded): Choices => [precision, checkpointing, packing, recorded]),
      ),
    ),
  )
}

async function run({ precision, ...way }: Way) {
  const { tables, trajectory } = LONG.runs.find((each) => each.precision === precision)!
  const { model } = await loadTiny(LONG.model, opsFor('webgpu'), { precision, tables })
  const { r, alpha, tensors } = LONG.adapter
  const plan = planAdapter(model.family, model.architecture, defaultAdapter({ r, alpha }), null)
  const initial = [...decodeAll(tensors)].map(([name, { shape, values }]) => ({
    ...{ name, shape, values, decay: true, rate: 1 },
  }))
  try {
    const padId = padIdOf(familyGolden(LONG.model))
    return {
      trajectory,
      ...(await follow({ model, plan, initial, trajectory, labels: null, padId, ...way })),
    }
  } finally {
    model.dispose()
  }
}

describe('a hundred steps', () => {
  const ways = (import.meta.env.VITE_WAYS === 'every' ? every() : SOME).map(
    ([precision, checkpointing, packing, recorded]): [string, Way] => [
      `${precision}, ${checkpointing === 'block' ? 'blocks again' : 'all kept'}, ${packing ? 'packed' : 'apart'}, ${recorded ? 'replayed' : 'computed'}`,
      { precision, checkpointing, packing, recorded },
    ],
  )
  it.each(ways)(
    '%s',
    async (_, way) => {
      const { trajectory, entries, state, recorded } = await run(way)
      expect(recorded).toBe(way.recorded)
      expect(entries).toHaveLength(100)
      for (const [i, { loss, gradNorm }] of entries.entries()) {
        expect(Math.abs(loss / trajectory.loss[i]! - 1), `loss of step ${i + 1}`).toBeLessThan(TOLERANCE)
        expect(Math.abs(gradNorm / trajectory.gradNorm[i]! - 1), `norm of step ${i + 1}`).toBeLessThan(
          TOLERANCE,
        )
      }
      for (const [name, { values }] of decodeAll(trajectory.final))
        expect(relativeError(state.parameters.values[name]!, values), name).toBeLessThan(TOLERANCE)
    },
    240_000,
  )
})
