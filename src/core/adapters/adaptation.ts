// From the tensors of an adapter to what a pass is handed: of a run in training, or of a finished adapter at a strength.
import type { Tensor } from '@tensorflow/tfjs-core'
import { loraNames, savedName, startNames, type Adaptation, type LayerFactors } from '../nn/adaptation.ts'
import type { ParameterStore } from '../optim/parameters.ts'
import type { AdaptedLayer, AdapterPlan } from './plan.ts'

/** The factors of a run in training, straight from its parameter store. */
export function storeAdaptation(
  store: ParameterStore,
  plan: AdapterPlan,
  dropout?: { rate: number; seed: number; step: number },
): Adaptation {
  const layers = new Map(plan.layers.map((layer, place) => [layer.path, { layer, place }]))
  const value = (name: string) => (store.has(name) ? store.value(name) : undefined)
  return {
    lowest: plan.lowest,
    tensor: (name) => value(savedName(name)),
    factors(path) {
      const found = layers.get(path)
      const factors = found && factorsOf(found.layer, value)
      if (factors && dropout && dropout.rate > 0)
        // The layer's place in the plan is part of the key, and stays the same for its backward pass.
        factors.dropout = {
          rate: dropout.rate,
          key: { seed: dropout.seed, purpose: 'dropout', step: dropout.step, layer: found.place },
        }
      return factors
    },
  }
}

function factorsOf(
  { path, scale }: AdaptedLayer,
  value: (name: string) => Tensor | undefined,
): LayerFactors | undefined {
  const names = loraNames(path)
  const a = value(names.a)
  const b = value(names.b)
  const magnitude = value(names.magnitude)
  const first = startNames(path)
  const a0 = value(first.a)
  const b0 = value(first.b)
  if (!a || !b) return undefined
  return { a, b, scale, ...(magnitude && { magnitude }), ...(a0 && b0 && { start: { a: a0, b: b0 } }) }
}

/** The tensors of a finished adapter at a strength from 0 (the base exactly) to 1. Tensors that are
 *  trained whole are taken as they are: who asks for less than all of them mixes them with the base's before. */
export function tensorAdaptation(
  tensors: ReadonlyMap<string, Tensor>,
  plan: AdapterPlan,
  strength = 1,
): Adaptation {
  const layers = new Map(plan.layers.map((layer) => [layer.path, layer]))
  const value = (name: string) => tensors.get(name)
  return {
    lowest: plan.lowest,
    tensor: (name) => value(savedName(name)),
    factors(path) {
      const layer = strength === 0 ? undefined : layers.get(path)
      const factors = layer && factorsOf(layer, value)
      if (!factors) return undefined
      return factors.magnitude ? { ...factors, strength } : { ...factors, scale: factors.scale * strength }
    },
  }
}
