// From the tensors of an adapter to what a pass is handed: of a run in training, or of a finished adapter at a strength.
import type { Tensor } from '@tensorflow/tfjs-core'
import { loraNames, savedName, startNames, type Adaptation, type LayerFactors } from '../nn/adaptation.ts'
import type { ParameterStore } from '../optim/parameters.ts'
import type { AdaptedLayer, AdapterPlan } from './plan.ts'

/** The factors of a run in training, straight from its parameter store; `dropout.step` is read when a mask is drawn. */
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
      const factors = found && storedFactors(found.layer, store, value)
      if (factors && dropout && dropout.rate > 0)
        // The layer's place in the plan is part of the key, and stays the same for its backward pass.
        factors.dropout = {
          rate: dropout.rate,
          key: {
            seed: dropout.seed,
            purpose: 'dropout',
            layer: found.place,
            get step() {
              return dropout.step
            },
          },
        }
      return factors
    },
  }
}

/** A and B where they lie in the store; they are copied out only where a kernel asks for tensors of their own. */
function storedFactors(
  layer: AdaptedLayer,
  store: ParameterStore,
  value: (name: string) => Tensor | undefined,
): LayerFactors | undefined {
  const names = loraNames(layer.path)
  const a = store.place(names.a)
  const b = store.place(names.b)
  if (!a || !b) return undefined
  const magnitude = value(names.magnitude)
  const start = firstFactors(layer.path, value)
  return {
    get a() {
      return store.value(names.a)
    },
    get b() {
      return store.value(names.b)
    },
    scale: layer.scale,
    places: { parameters: a.flat, r: a.shape[0]!, a: a.offset, b: b.offset },
    ...(magnitude && { magnitude }),
    ...(start && { start }),
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
  const start = firstFactors(path, value)
  if (!a || !b) return undefined
  return { a, b, scale, ...(magnitude && { magnitude }), ...(start && { start }) }
}

function firstFactors(path: string, value: (name: string) => Tensor | undefined): LayerFactors['start'] {
  const names = startNames(path)
  const a = value(names.a)
  const b = value(names.b)
  return a && b ? { a, b } : undefined
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
