// The trainable tensors of a plan at step 0, by their PEFT names.
import type { AdapterConfig } from '../../protocol/run.ts'
import { loraNames, savedName } from '../nn/adaptation.ts'
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
      rate: matrix ? 1 : config.loraPlusRatio,
    })
  }
  return parameters
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
  const bound = 1 / Math.sqrt(inputs)
  const a =
    config.initLoraWeights === 'gaussian'
      ? normals(key, r * inputs).map((z) => z / r)
      : uniforms(key, r * inputs).map((u) => (2 * u - 1) * bound)
  const factors: InitialParameter[] = [
    { name: names.a, shape: [r, inputs], values: a, decay: true, rate: 1 },
    {
      name: names.b,
      shape: [out, r],
      values: new Float32Array(out * r),
      decay: true,
      rate: config.loraPlusRatio,
    },
  ]
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
