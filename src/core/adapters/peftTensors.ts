// The trained tensors of a run as PEFT keeps them on disk: its names, the orientation of the base's checkpoint, and PiSSA
// turned into plain LoRA on the unchanged base (PEFT's subtract_mutated_init):
//   W - s B0 A0 + s B A = W + s [B | -B0] [A ; A0].
import type { TensorToWrite } from '../../formats/safetensors.ts'
import { GraftError } from '../../protocol/errors.ts'
import type { Architecture, Family } from '../models/architecture.ts'
import { loraNames, savedName, startNames } from '../nn/adaptation.ts'
import { transpose } from './baseValues.ts'
import { moduleOf, type AdaptedLayer, type AdapterPlan } from './plan.ts'

/** Factors of a layer on the host, PiSSA's already turned into LoRA's. */
export interface HostFactors {
  /** Rank of a and b: twice the layer's for PiSSA. */
  r: number
  /** [r, in] */
  a: Float32Array
  /** [out, r] */
  b: Float32Array
  /** [out] */
  magnitude?: Float32Array
}

/** Finds tensors by name. Throws E_INTERNAL where one is missing. */
export type HostTensors = ReadonlyMap<string, TensorToWrite>

export const hostTensors = (tensors: readonly TensorToWrite[]): HostTensors =>
  new Map(tensors.map((tensor) => [tensor.name, tensor]))

export function dataOf(tensors: HostTensors, name: string): Float32Array {
  const found = tensors.get(name)
  if (!found) throw new GraftError('E_INTERNAL', `The adapter has no tensor ${name}.`, { tensor: name })
  return found.data
}

/** Whether the run began with PiSSA. */
export function hasStart({ layers }: AdapterPlan, tensors: HostTensors): boolean {
  return layers.some(({ path }) => tensors.has(startNames(path).a))
}

export function hostFactors(layer: AdaptedLayer, tensors: HostTensors): HostFactors {
  const names = loraNames(layer.path)
  const start = startNames(layer.path)
  const magnitude = tensors.get(names.magnitude)?.data
  const a = dataOf(tensors, names.a)
  const b = dataOf(tensors, names.b)
  const plain = { r: layer.r, a, b, ...(magnitude && { magnitude }) }
  return tensors.has(start.a)
    ? withStart(layer, plain, dataOf(tensors, start.a), dataOf(tensors, start.b))
    : plain
}

function withStart(
  { r, shape: [out, inputs] }: AdaptedLayer,
  factors: HostFactors,
  a0: Float32Array,
  b0: Float32Array,
): HostFactors {
  const a = new Float32Array(2 * r * inputs) // [2r, in]
  a.set(factors.a)
  a.set(a0, r * inputs)
  const b = new Float32Array(out * 2 * r) // [out, 2r]
  for (let o = 0; o < out; o++) {
    b.set(factors.b.subarray(o * r, (o + 1) * r), o * 2 * r)
    for (let k = 0; k < r; k++) b[(2 * o + 1) * r + k] = -b0[o * r + k]!
  }
  return { ...factors, r: 2 * r, a, b }
}

/** `fold`: factor that B is multiplied by, layer by layer. */
export function peftTensors(
  family: Family,
  architecture: Architecture,
  plan: AdapterPlan,
  tensors: HostTensors,
  classify: boolean,
  fold: (layer: AdaptedLayer) => number = () => 1,
): TensorToWrite[] {
  const adapted = new Set(plan.layers.map(({ path }) => path))
  const written: TensorToWrite[] = plan.layers.flatMap((layer) => {
    const [out, inputs] = layer.shape
    const names = loraNames(layer.path)
    const { r, a, b, magnitude } = hostFactors(layer, tensors)
    const factor = fold(layer)
    return [
      { name: names.a, shape: [r, inputs], data: a },
      { name: names.b, shape: [out, r], data: factor === 1 ? b : b.map((value) => value * factor) },
      ...(magnitude ? [{ name: names.magnitude, shape: [out], data: magnitude }] : []),
    ]
  })
  for (const { name, shape, transposed } of plan.saved) {
    const data = dataOf(tensors, savedName(name))
    written.push({
      name: savedName(adapted.has(moduleOf(name)) ? inLayer(name) : name),
      shape: transposed ? [...shape].reverse() : [...shape],
      data: transposed ? transpose(data, shape[0]!, shape[1]!) : data,
    })
  }
  const table = savedTable(family, plan)
  if (table && architecture.tiedHead && !classify)
    written.push({
      name: savedName(`${family.names.head.path}.weight`),
      shape: [...table.shape],
      data: dataOf(tensors, savedName(table.name)),
    })
  return written
}

/** The token table where it is trained whole. */
export function savedTable(family: Family, { saved }: AdapterPlan) {
  return saved.find(({ name }) => name === `${family.names.tokens}.weight`)
}

/** PEFT has put the layer's own tensors into `base_layer`. */
function inLayer(name: string): string {
  return name.replace(/\.(weight|bias)$/, '.base_layer.$1')
}
