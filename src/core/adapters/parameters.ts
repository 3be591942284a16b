// The trainable tensors of a plan at step 0, by their PEFT names.
import type { AdapterConfig } from '../../protocol/run.ts'
import { loraNames, savedName, startNames } from '../nn/adaptation.ts'
import type { InitialParameter } from '../optim/parameters.ts'
import { normals, uniforms, type RngKey } from '../rng.ts'
import type { AdaptedLayer, AdapterPlan, SavedTensor } from './plan.ts'

/** transformers' initializer_range for new heads. */
const HEAD_STD = 0.02

/** Values of the base that a plan begins with, in the engine's orientation. */
export interface BaseValues {
  /** A whole tensor by its name. */
  tensor(saved: SavedTensor): Promise<Float32Array>
  /** Norms of the rows of a linear layer's weight, [out]: DoRA's first magnitudes. */
  rowNorms(layer: AdaptedLayer): Promise<Float32Array>
  /** PiSSA's first factors a [r, in] and b [out, r]: scale b a is the part of the weight with the r largest singular
   *  values. */
  components(layer: AdaptedLayer, key: RngKey): Promise<{ a: Float32Array; b: Float32Array }>
}

/** A from U(-1/sqrt(in), 1/sqrt(in)) (kaiming_uniform with a = sqrt 5) or N(0, 1/r), B = 0, magnitudes |W_i|; a new
 *  classifier from N(0, 0.02). */
export async function initialParameters(
  plan: AdapterPlan,
  config: AdapterConfig,
  seed: number,
  base: BaseValues,
): Promise<InitialParameter[]> {
  const parameters: InitialParameter[] = []
  let place = 0
  const key = (): RngKey => ({ seed, purpose: 'init', layer: place++ })
  for (const layer of plan.layers) parameters.push(...(await factorsOf(layer, config, key(), base)))
  for (const saved of plan.saved) {
    const size = saved.shape.reduce((product, extent) => product * extent, 1)
    const matrix = saved.shape.length > 1
    const fresh = () => (matrix ? normals(key(), size).map((z) => z * HEAD_STD) : new Float32Array(size))
    parameters.push({
      name: savedName(saved.name),
      shape: [...saved.shape],
      values: saved.start === 'base' ? await base.tensor(saved) : fresh(),
      decay: matrix,
      rate: matrix ? 1 : vectorRate(config),
    })
  }
  return parameters
}

/** LoRA+ as PEFT has it: vectors beside the factors learn at B's rate. Without factors there is nothing to balance. */
export function vectorRate({
  method,
  loraPlusRatio,
}: Pick<AdapterConfig, 'method' | 'loraPlusRatio'>): number {
  return method === 'lora' ? loraPlusRatio : 1
}

async function factorsOf(
  layer: AdaptedLayer,
  config: AdapterConfig,
  key: RngKey,
  base: BaseValues,
): Promise<InitialParameter[]> {
  const { path, shape, r } = layer
  const [out, inputs] = shape
  const names = loraNames(path)
  const pissa = config.initLoraWeights === 'pissa' ? await base.components(layer, key) : null
  const a = pissa?.a ?? randomA(config, r, inputs, key)
  const b = pissa?.b ?? new Float32Array(out * r)
  const factors: InitialParameter[] = [
    { name: names.a, shape: [r, inputs], values: a, decay: true, rate: 1 },
    { name: names.b, shape: [out, r], values: b, decay: true, rate: config.loraPlusRatio },
  ]
  if (pissa) {
    const start = startNames(path)
    factors.push({ name: start.a, shape: [r, inputs], values: a, decay: false, rate: 0 })
    factors.push({ name: start.b, shape: [out, r], values: b, decay: false, rate: 0 })
  }
  if (config.useDora)
    factors.push({
      name: names.magnitude,
      shape: [out],
      values: await base.rowNorms(layer),
      decay: true,
      rate: config.loraPlusRatio,
    })
  return factors
}

/** A [r, in]: kaiming_uniform with a = sqrt 5, or Gaussian with the standard deviation 1 / r. */
function randomA(config: AdapterConfig, r: number, inputs: number, key: RngKey): Float32Array {
  if (config.initLoraWeights === 'gaussian') return normals(key, r * inputs).map((z) => z / r)
  const bound = 1 / Math.sqrt(inputs)
  return uniforms(key, r * inputs).map((u) => (2 * u - 1) * bound)
}
