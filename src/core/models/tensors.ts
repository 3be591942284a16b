// Every tensor that an architecture needs, by name and shape: what a checkpoint is checked against, what is loaded, counted
// and exported. Built from the description alone.
import { GraftError } from '../../protocol/errors.ts'
import { linearShapes, normRoles, type Architecture, type Family, type LinearRole } from './architecture.ts'
import type { WeightSource } from './weights.ts'

/** `linear`: a matrix [out, in] of a linear layer; `table`: rows by token; `vector`: norms, biases, small tables. */
export type TensorRole = 'linear' | 'table' | 'vector'

export interface TensorSpec {
  /** Name in transformers' class with a head; the keys of PEFT are made of it. */
  name: string
  /** In the engine's orientation: [out, in]. */
  shape: readonly number[]
  role: TensorRole
  /** Stored the other way round. */
  transposed: boolean
  /** Used where it is there: pretraining heads, poolers. All or none of one group. */
  group: 'needed' | 'languageHead' | 'classifier'
  /** Block it belongs to; -1 below the blocks, Infinity above. */
  layer: number
}

export function tensorSpecs(family: Family, a: Architecture): TensorSpec[] {
  const { names, classifier } = family
  const specs: TensorSpec[] = []
  const add = (
    name: string,
    shape: readonly number[],
    role: TensorRole,
    layer: number,
    group: TensorSpec['group'] = 'needed',
  ) =>
    specs.push({
      name,
      shape,
      role,
      layer,
      group,
      transposed: role === 'linear' && family.transposed === true,
    })
  const norm = (path: string, size: number, layer: number, group?: TensorSpec['group']) => {
    add(`${path}.weight`, [size], 'vector', layer, group)
    if (a.norm.kind === 'layer') add(`${path}.bias`, [size], 'vector', layer, group)
  }

  add(`${names.tokens}.weight`, [a.vocab, a.hidden], 'table', -1)
  if (a.positions.kind === 'learned')
    add(`${names.positions!}.weight`, [a.positions.rows, a.hidden], 'vector', -1)
  if (a.inputs.types > 0) add(`${names.types!}.weight`, [a.inputs.types, a.hidden], 'vector', -1)
  if (a.inputs.norm) norm(names.inputNorm!, a.hidden, -1)

  const shapes = linearShapes(family, a)
  const norms = normRoles(a)
  for (let layer = 0; layer < a.layers; layer++) {
    const block = names.block(layer)
    for (const role of norms)
      norm(
        `${block}.${names.norms[role]!}`,
        role === 'query' || role === 'key' ? a.headSize : a.hidden,
        layer,
      )
    for (const [role, shape] of shapes) {
      const path = `${block}.${names.linears[role]!}`
      add(`${path}.weight`, shape, 'linear', layer)
      if (hasBias(a, role)) add(`${path}.bias`, [shape[0]], 'vector', layer)
    }
  }

  if (a.finalNorm) norm(names.finalNorm!, a.hidden, Infinity)
  const { head } = names
  const group = a.kind === 'encoder' ? 'languageHead' : 'needed'
  if (head.transform) {
    add(`${head.transform.dense}.weight`, [a.hidden, a.hidden], 'linear', Infinity, group)
    add(`${head.transform.dense}.bias`, [a.hidden], 'vector', Infinity, group)
    norm(head.transform.norm, a.hidden, Infinity, group)
  }
  if (!a.tiedHead) add(`${head.path}.weight`, [a.vocab, a.hidden], 'table', Infinity, group)
  if (head.bias) add(head.bias, [a.vocab], 'vector', Infinity, group)
  for (const layer of classifier.layers) {
    if (!layer.base) continue
    add(`${layer.path}.weight`, [a.hidden, a.hidden], 'linear', Infinity, 'classifier')
    if (layer.bias) add(`${layer.path}.bias`, [a.hidden], 'vector', Infinity, 'classifier')
  }
  return specs
}

export function hasBias(a: Architecture, role: LinearRole): boolean {
  switch (role) {
    case 'q':
    case 'k':
    case 'v':
    case 'qkv':
      return a.attention.bias
    case 'o':
      return a.attention.outputBias
    default:
      return a.mlp.bias
  }
}

/** Number of weights of an architecture, as transformers counts those of its language model. */
export function countParameters(family: Family, a: Architecture): number {
  return tensorSpecs(family, a)
    .filter(({ group }) => group === 'needed' || group === 'languageHead')
    .reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
}

/** The names under which checkpoints keep a tensor: with or without the model's prefix, norms also in TensorFlow's words. */
function aliases(family: Family, name: string): string[] {
  const { prefix } = family.names
  const bare = name.startsWith(prefix) ? [name, name.slice(prefix.length)] : [name]
  const old = (alias: string) =>
    alias.replace(/LayerNorm\.weight$/, 'LayerNorm.gamma').replace(/LayerNorm\.bias$/, 'LayerNorm.beta')
  return [...new Set([...bare, ...bare.map(old)])]
}

/** The name of a tensor in a checkpoint; null where it is not there. */
export function storedName(family: Family, source: WeightSource, name: string): string | null {
  return aliases(family, name).find((alias) => source.has(alias)) ?? null
}

/**
 * The specs that a checkpoint serves: all that are needed, and the optional groups that are whole.
 * Throws E_MODEL_FILES, naming the tensor, where config.json and the weights disagree.
 */
export function checkTensors(family: Family, architecture: Architecture, source: WeightSource): TensorSpec[] {
  const specs = tensorSpecs(family, architecture)
  const missing = new Set(
    specs.filter(({ name }) => storedName(family, source, name) === null).map(({ group }) => group),
  )
  const wanted = specs.filter(({ group }) => group === 'needed' || !missing.has(group))
  for (const { name, shape, transposed } of wanted) {
    const stored = storedName(family, source, name)
    if (stored === null)
      throw new GraftError(
        'E_MODEL_FILES',
        `The weights have no tensor ${name}, which config.json calls for. Are all files of the model there?`,
        { tensor: name },
      )
    const expected = transposed ? [...shape].reverse() : shape
    const found = source.shape(stored)
    if (found.length !== expected.length || found.some((size, i) => size !== expected[i]))
      throw new GraftError(
        'E_MODEL_FILES',
        `Tensor ${stored} has shape [${found.join(', ')}], but config.json says [${expected.join(', ')}].`,
        { tensor: stored },
      )
  }
  return wanted
}
