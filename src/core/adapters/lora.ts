// LoRA on any set of a model's linear layers (Hu et al. 2021), with PEFT's initialisation and scaling.
import { GraftError } from '../../protocol/errors.ts'
import type { AdapterConfig } from '../../protocol/run.ts'
import type { Architecture, Family } from '../models/architecture.ts'
import { linearShape } from '../models/load.ts'
import { loraNames, SCORE_NAME, type Adaptation } from '../nn/adaptation.ts'
import { TARGETS, type TargetName } from '../nn/block.ts'
import type { LoraFactors } from '../ops/ops.ts'
import type { InitialParameter, ParameterStore } from '../optim/parameters.ts'
import type { Tensor } from '@tensorflow/tfjs-core'
import { normals, uniforms, type RngKey } from '../rng.ts'

/** transformers' initializer_range for new heads. */
const HEAD_STD = 0.02

/** The targeted layer kinds, in the model's order. Throws E_ARGUMENT naming an unknown one. */
export function resolveTargets(targets: AdapterConfig['targets']): TargetName[] {
  if (targets === 'all-linear') return [...TARGETS]
  if (!Array.isArray(targets))
    throw new GraftError(
      'E_ARGUMENT',
      `adapter.targets must be "all-linear" or a list of layer names, but is ${JSON.stringify(targets)}.`,
    )
  const unknown = targets.find((name) => !(TARGETS as readonly string[]).includes(name))
  if (unknown !== undefined)
    throw new GraftError(
      'E_ARGUMENT',
      `adapter.targets names ${unknown}, which this model has not. It has: ${TARGETS.join(', ')}.`,
      { target: unknown },
    )
  if (targets.length === 0)
    throw new GraftError('E_ARGUMENT', 'adapter.targets is empty: name at least one layer, or "all-linear".')
  return TARGETS.filter((name) => targets.includes(name))
}

/** Module paths of all targeted layers with their [out, in] shapes. */
export function targetedLayers(family: Family, architecture: Architecture, config: AdapterConfig) {
  const targets = resolveTargets(config.targets)
  return Array.from({ length: architecture.layers }, (_, layer) =>
    targets.map((target) => ({
      path: family.names.linear(layer, target),
      shape: linearShape(architecture, target),
    })),
  ).flat()
}

/** Trainable tensors at step 0: A from U(-1/sqrt(in), 1/sqrt(in)) (kaiming_uniform with a = sqrt 5), B = 0,
 *  and for a classifier the score head from N(0, 0.02). */
export function initialParameters(
  family: Family,
  architecture: Architecture,
  config: AdapterConfig,
  labels: number | null,
  seed: number,
): InitialParameter[] {
  const parameters: InitialParameter[] = []
  let layer = 0
  const key = (): RngKey => ({ seed, purpose: 'init', layer: layer++ })
  if (config.method === 'lora') {
    for (const { path, shape } of targetedLayers(family, architecture, config)) {
      const [out, inputs] = shape
      const names = loraNames(path)
      const bound = 1 / Math.sqrt(inputs)
      const a = uniforms(key(), config.r * inputs).map((u) => (2 * u - 1) * bound)
      parameters.push({ name: names.a, shape: [config.r, inputs], values: a, decay: true })
      parameters.push({
        name: names.b,
        shape: [out, config.r],
        values: new Float32Array(out * config.r),
        decay: true,
      })
    }
  }
  if (labels !== null) {
    const values = normals(key(), labels * architecture.hidden).map((z) => z * HEAD_STD)
    parameters.push({ name: SCORE_NAME, shape: [labels, architecture.hidden], values, decay: true })
  }
  if (parameters.length === 0)
    throw new GraftError(
      'E_ARGUMENT',
      'The method "head" trains only a classification head, and this task has none. Use the method "lora".',
    )
  return parameters
}

/** alpha / r (Hu et al. 2021). */
export function loraScale(config: Pick<AdapterConfig, 'alpha' | 'r'>): number {
  return config.alpha / config.r
}

/** The factors of a run in training, straight from its parameter store. */
export function storeAdaptation(
  store: ParameterStore,
  config: AdapterConfig,
  dropout?: { rate: number; seed: number; step: number },
): Adaptation | null {
  if (config.method !== 'lora') return null
  const scale = loraScale(config)
  const layers = new Map<string, number>()
  return {
    factors(path) {
      const names = loraNames(path)
      if (!store.has(names.a)) return undefined
      const factors: LoraFactors = { a: store.value(names.a), b: store.value(names.b), scale }
      if (dropout && dropout.rate > 0) {
        // The layer's place in the model is part of the key, and stays the same for its backward pass.
        if (!layers.has(path)) layers.set(path, layers.size)
        factors.dropout = {
          rate: dropout.rate,
          key: { seed: dropout.seed, purpose: 'dropout', step: dropout.step, layer: layers.get(path)! },
        }
      }
      return factors
    },
  }
}

/** The factors of a finished adapter at a strength from 0 (the base exactly) to 1. */
export function tensorAdaptation(
  tensors: ReadonlyMap<string, Tensor>,
  config: Pick<AdapterConfig, 'alpha' | 'r'>,
  strength = 1,
): Adaptation | null {
  if (strength === 0) return null
  const scale = loraScale(config) * strength
  return {
    factors(path) {
      const names = loraNames(path)
      const a = tensors.get(names.a)
      const b = tensors.get(names.b)
      return a && b ? { a, b, scale } : undefined
    },
  }
}
