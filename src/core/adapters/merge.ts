// A base with its adapter merged in, tensor by tensor and a few rows at a time, so that no large matrix is ever whole in
// memory: W + s B A, DoRA's m (W + s B A) / |W + s B A|, and what was trained whole in its place. At a strength t below 1
// every tensor is (1 - t) of the base's and t of the merged one; a new classifier has no base and stays what it is.
import { checkTensors, storedName, type TensorSpec } from '../models/tensors.ts'
import type { Architecture, Family } from '../models/architecture.ts'
import type { WeightSource } from '../models/weights.ts'
import { savedName } from '../nn/adaptation.ts'
import { transpose } from './baseValues.ts'
import { dataOf, hostFactors, type HostFactors, type HostTensors } from './peftTensors.ts'
import type { AdaptedLayer, AdapterPlan, SavedTensor } from './plan.ts'

/** Float32 numbers that are looked at in one piece: 4 MiB. */
const PIECE = 1 << 20

export interface MergedTensor {
  name: string
  /** As the checkpoints of the family have it. */
  shape: readonly number[]
  /** The values from the first row to the last, row-major; each piece belongs to the caller. */
  pieces(): AsyncGenerator<Float32Array>
}

export interface Merge {
  family: Family
  architecture: Architecture
  /** The checkpoint of the base. */
  source: WeightSource
  plan: AdapterPlan
  tensors: HostTensors
  classify: boolean
  /** From 0 to 1. */
  strength: number
}

/** Every tensor of the merged model under transformers' names, in the order of the computation; nothing is read yet. */
export function mergedTensors(merge: Merge): MergedTensor[] {
  const { family, architecture, source, plan, tensors, classify } = merge
  const saved = new Map(plan.saved.map((each) => [each.name, each]))
  const layers = new Map(plan.layers.map((layer) => [`${layer.path}.weight`, layer]))
  const specs = checkTensors(family, architecture, source).filter((spec) => belongs(spec, family, classify))
  const merged = specs.map((spec): MergedTensor => {
    const shape = spec.transposed ? [...spec.shape].reverse() : spec.shape
    const own = saved.get(spec.name)
    const layer = layers.get(spec.name)
    const base = () => basePieces(family, source, spec.name, shape)
    if (own) return { name: spec.name, shape, pieces: () => mixedPieces(merge, own, base()) }
    if (!layer)
      return {
        name: spec.name,
        shape,
        pieces: async function* () {
          for await (const { values } of base()) yield values
        },
      }
    return { name: spec.name, shape, pieces: () => adaptedPieces(merge, layer, spec.transposed, base) }
  })
  const fresh = plan.saved
    .filter(({ name }) => !specs.some((spec) => spec.name === name))
    .map(({ name, shape }): MergedTensor => ({
      name,
      shape,
      pieces: async function* () {
        yield dataOf(tensors, savedName(name)).slice()
      },
    }))
  return [...merged, ...fresh]
}

/** Tensors of the class with the head that was trained. */
function belongs({ group, name }: TensorSpec, family: Family, classify: boolean): boolean {
  if (!classify) return group !== 'classifier'
  return group === 'classifier' || (group === 'needed' && name !== `${family.names.head.path}.weight`)
}

/** Rows of a stored tensor, and the index of the first. */
interface Piece {
  begin: number
  values: Float32Array
}

async function* basePieces(
  family: Family,
  source: WeightSource,
  name: string,
  shape: readonly number[],
): AsyncGenerator<Piece> {
  const stored = storedName(family, source, name)!
  const rows = shape[0] ?? 1
  const columns = shape.slice(1).reduce((product, extent) => product * extent, 1)
  const step = Math.max(1, Math.floor(PIECE / columns))
  for (let begin = 0; begin < rows; begin += step)
    yield { begin, values: await source.rows(stored, begin, Math.min(rows, begin + step)) }
}

/** What was trained whole; at a lower strength mixed with the base's. */
async function* mixedPieces(
  { tensors, strength }: Merge,
  { name, shape, transposed }: SavedTensor,
  base: AsyncGenerator<Piece>,
): AsyncGenerator<Float32Array> {
  const data = dataOf(tensors, savedName(name))
  const trained = transposed ? transpose(data, shape[0]!, shape[1]!) : data
  let at = 0
  for await (const { values } of base) {
    for (let i = 0; i < values.length; i++, at++)
      values[i] = strength === 1 ? trained[at]! : values[i]! + strength * (trained[at]! - values[i]!)
    yield values
  }
}

async function* adaptedPieces(
  { tensors, strength }: Merge,
  layer: AdaptedLayer,
  transposed: boolean,
  base: () => AsyncGenerator<Piece>,
): AsyncGenerator<Float32Array> {
  const factors = hostFactors(layer, tensors)
  const delta = deltaRows(layer, factors, transposed)
  const gains = factors.magnitude && (await doraGains(layer, factors.magnitude, transposed, base(), delta))
  const columns = layer.shape[transposed ? 0 : 1]
  const row = new Float64Array(columns)
  for await (const { begin, values } of base()) {
    for (let r = 0; r * columns < values.length; r++) {
      delta(begin + r, row)
      for (let c = 0; c < columns; c++) {
        const w = values[r * columns + c]!
        const gain = gains ? gains[transposed ? c : begin + r]! : 1
        const merged = gain * (w + row[c]!)
        values[r * columns + c] = strength === 1 ? merged : w + strength * (merged - w)
      }
    }
    yield values
  }
}

/** Fills a row of s B A, as it is stored. */
type DeltaRow = (index: number, row: Float64Array) => void

function deltaRows(
  { shape: [out, inputs], scale }: AdaptedLayer,
  { r, a, b }: HostFactors,
  transposed: boolean,
): DeltaRow {
  // Stored [out, in], row o is the sum over k of B[o, k] A[k]; stored [in, out], row i is that of A[k, i] B^T[k].
  const [rows, columns] = transposed ? [transpose(b, out, r), out] : [a, inputs]
  const weight = transposed
    ? (index: number, k: number) => a[k * inputs + index]!
    : (index: number, k: number) => b[index * r + k]!
  return (index, row) => {
    row.fill(0)
    for (let k = 0; k < r; k++) {
      const factor = scale * weight(index, k)
      const offset = k * columns
      for (let c = 0; c < columns; c++) row[c] = row[c]! + factor * rows[offset + c]!
    }
  }
}

/** m / c [out], with c the norms of the output rows of W + s B A: a first look at the whole matrix. */
async function doraGains(
  { shape: [out, inputs] }: AdaptedLayer,
  magnitude: Float32Array,
  transposed: boolean,
  base: AsyncGenerator<Piece>,
  delta: DeltaRow,
): Promise<Float64Array> {
  const columns = transposed ? out : inputs
  const squares = new Float64Array(out)
  const row = new Float64Array(columns)
  for await (const { begin, values } of base)
    for (let r = 0; r * columns < values.length; r++) {
      delta(begin + r, row)
      for (let c = 0; c < columns; c++) {
        const output = transposed ? c : begin + r
        squares[output] = squares[output]! + (values[r * columns + c]! + row[c]!) ** 2
      }
    }
  return squares.map((square, output) => magnitude[output]! / Math.sqrt(square))
}
