// Whole tensors at a strength between the base's and the trained ones. Factors need no mixing: tensorAdaptation scales them.
import { add, clone, dispose, keep, mul, sub, tensor, tidy, type Tensor } from '@tensorflow/tfjs-core'
import type { Family } from '../models/architecture.ts'
import type { WeightSource } from '../models/weights.ts'
import { savedName } from '../nn/adaptation.ts'
import { baseTensor } from './baseValues.ts'
import type { AdapterPlan } from './plan.ts'

/**
 * The tensors that `tensorAdaptation` takes at this strength; the caller owns them, the given ones stay as they are. Of a
 * tensor that has a base it is base + strength (trained - base); at 0 it is left out, so that the base itself is used.
 * Throws E_HASH and what else `source` throws; nothing is left on the device then.
 */
export async function tensorsAtStrength(
  family: Family,
  source: WeightSource,
  plan: AdapterPlan,
  tensors: ReadonlyMap<string, Tensor>,
  strength: number,
): Promise<Map<string, Tensor>> {
  const mixed = new Map<string, Tensor>()
  const based = new Map(
    plan.saved.filter(({ start }) => start === 'base').map((saved) => [savedName(saved.name), saved]),
  )
  try {
    for (const [name, trained] of tensors) {
      const saved = strength < 1 ? based.get(name) : undefined
      if (!saved) mixed.set(name, keep(clone(trained)))
      else if (strength > 0) {
        const values = await baseTensor(family, source, saved)
        const mix = () => {
          const base = tensor(values, trained.shape)
          return add(base, mul(sub(trained, base), strength))
        }
        mixed.set(name, keep(tidy(mix)))
      }
    }
    return mixed
  } catch (error) {
    dispose([...mixed.values()])
    throw error
  }
}
