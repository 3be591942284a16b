// What a plan takes over from the base at step 0: tensors that are trained whole come from its checkpoint, norms and
// principal components from the matrices as they are on the device, so that step 0 is the base in any precision.
import { sqrt, tidy } from '@tensorflow/tfjs-core'
import { GraftError } from '../../protocol/errors.ts'
import { storedName } from '../models/tensors.ts'
import type { Transformer } from '../models/transformer.ts'
import type { WeightSource } from '../models/weights.ts'
import { rowSquares } from '../nn/dora.ts'
import type { RngKey } from '../rng.ts'
import type { BaseValues } from './parameters.ts'
import type { AdaptedLayer, SavedTensor } from './plan.ts'
import { principalComponents } from './principal.ts'

/** `source`: the checkpoint of the model. */
export function baseValues(model: Transformer, source: WeightSource): BaseValues {
  const linears = new Map(model.linears('classify').map((linear) => [linear.path, linear]))
  const weight = ({ path }: AdaptedLayer) => {
    const linear = linears.get(path)
    if (!linear) throw new GraftError('E_INTERNAL', `The model has no layer ${path}.`, { layer: path })
    return linear.weight
  }
  return {
    tensor: (saved) => baseTensor(model.family, source, saved),
    async rowNorms(layer) {
      const norms = tidy(() => sqrt(rowSquares(weight(layer), model.ops))) // [out]
      const values = (await norms.data()) as Float32Array
      norms.dispose()
      return values.slice()
    },
    async components(layer: AdaptedLayer, key: RngKey) {
      const { values, left, right } = await principalComponents(weight(layer), layer.r, model.ops, key)
      const [out, inputs] = layer.shape
      const roots = values.map((value) => Math.sqrt(value / layer.scale))
      const a = new Float32Array(layer.r * inputs) // [r, in]
      const b = new Float32Array(out * layer.r) // [out, r]
      for (let k = 0; k < layer.r; k++) {
        for (let i = 0; i < inputs; i++) a[k * inputs + i] = roots[k]! * right[k]![i]!
        for (let o = 0; o < out; o++) b[o * layer.r + k] = roots[k]! * left[k]![o]!
      }
      return { a, b }
    },
  }
}

/** A whole tensor of the base in the engine's orientation. Throws E_MODEL_FILES where it is not there. */
export async function baseTensor(
  family: Transformer['family'],
  source: WeightSource,
  { name, shape, transposed }: Pick<SavedTensor, 'name' | 'shape' | 'transposed'>,
): Promise<Float32Array> {
  const stored = await source.read(storedName(family, source, name) ?? name)
  return transposed ? transpose(stored, shape[1]!, shape[0]!) : stored
}

/** [rows, columns] -> [columns, rows] */
export function transpose(values: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const turned = new Float32Array(values.length)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      turned[column * rows + row] = values[row * columns + column]!
  return turned
}
