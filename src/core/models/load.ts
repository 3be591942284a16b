// From checkpoint tensors to a model on the device, one tensor at a time.
import { tensor1d, tensor2d, type Tensor } from '@tensorflow/tfjs-core'
import { GraftError, throwIfAborted } from '../../protocol/errors.ts'
import { releaseFreeBuffers } from '../backend/memory.ts'
import { uploadNow } from '../backend/upload.ts'
import { Block, TARGETS, type TargetName } from '../nn/block.ts'
import { Linear } from '../nn/linear.ts'
import { ropeTable } from '../nn/rope.ts'
import type { FrozenMatrix, Ops } from '../ops/ops.ts'
import type { Architecture, Family } from './architecture.ts'
import { Transformer } from './transformer.ts'

/** Where a checkpoint's tensors come from: files dropped on the page, IndexedDB, or memory. */
export interface WeightSource {
  has(name: string): boolean
  shape(name: string): readonly number[]
  /** The values as f32, row-major. */
  read(name: string): Promise<Float32Array>
}

/** Output and input width of each linear layer. */
export function linearShape(a: Architecture, target: TargetName): [number, number] {
  const queries = a.heads * a.headSize
  const keys = a.keyValueHeads * a.headSize
  switch (target) {
    case 'q_proj':
      return [queries, a.hidden]
    case 'k_proj':
    case 'v_proj':
      return [keys, a.hidden]
    case 'o_proj':
      return [a.hidden, queries]
    case 'gate_proj':
    case 'up_proj':
      return [a.intermediate, a.hidden]
    case 'down_proj':
      return [a.hidden, a.intermediate]
    default:
      return target satisfies never
  }
}

/** The names of all tensors that an architecture needs, with their shapes. */
export function expectedTensors(family: Family, a: Architecture): Map<string, number[]> {
  const { names } = family
  const expected = new Map<string, number[]>([[names.embedding, [a.vocab, a.hidden]]])
  for (let layer = 0; layer < a.layers; layer++) {
    expected.set(names.attentionNorm(layer), [a.hidden])
    expected.set(names.mlpNorm(layer), [a.hidden])
    for (const target of TARGETS)
      expected.set(`${names.linear(layer, target)}.weight`, linearShape(a, target))
  }
  expected.set(names.finalNorm, [a.hidden])
  if (!a.tiedHead) expected.set(names.head, [a.vocab, a.hidden])
  return expected
}

/** Throws E_MODEL_FILES, naming the tensor, where config.json and the weights disagree. */
export function checkTensors(family: Family, architecture: Architecture, source: WeightSource): void {
  for (const [name, shape] of expectedTensors(family, architecture)) {
    if (!source.has(name))
      throw new GraftError(
        'E_MODEL_FILES',
        `The weights have no tensor ${name}, which config.json calls for. Are all files of the model there?`,
        { tensor: name },
      )
    const found = source.shape(name)
    if (found.length !== shape.length || found.some((size, i) => size !== shape[i]))
      throw new GraftError(
        'E_MODEL_FILES',
        `Tensor ${name} has shape [${found.join(', ')}], but config.json says [${shape.join(', ')}].`,
        { tensor: name },
      )
  }
}

/**
 * Loads every tensor in turn; `onTensor` is told how many of how many are there. Frees everything if it fails.
 * Throws E_MODEL_FILES, E_FORMAT, E_HASH from the source, E_MEMORY where the device has no room, E_ABORTED.
 */
export async function loadTransformer(
  family: Family,
  architecture: Architecture,
  source: WeightSource,
  ops: Ops,
  onTensor: (done: number, total: number) => void = () => undefined,
  signal?: AbortSignal,
): Promise<Transformer> {
  checkTensors(family, architecture, source)
  const { names } = family
  const total = expectedTensors(family, architecture).size
  const made: { dispose(): void }[] = []
  const place = async <T extends Tensor>(tensor: T): Promise<T> => {
    made.push(tensor)
    await uploadNow('Loading the weights', tensor)
    return tensor
  }
  const vector = async (name: string) => place(tensor1d(await read(name)))
  const matrix = async (name: string): Promise<FrozenMatrix> => {
    const [rows, columns] = source.shape(name) as [number, number]
    const data = await place(tensor2d(await read(name), [rows, columns]))
    return { kind: 'f32', shape: [rows, columns], data }
  }
  const read = async (name: string) => {
    throwIfAborted(signal)
    const values = await source.read(name)
    throwIfAborted(signal)
    onTensor(made.length + 1, total)
    return values
  }

  try {
    const embedding = await matrix(names.embedding)
    const blocks: Block[] = []
    for (let layer = 0; layer < architecture.layers; layer++) {
      const linears = {} as Record<TargetName, Linear>
      for (const target of TARGETS) {
        const path = names.linear(layer, target)
        linears[target] = new Linear(path, await matrix(`${path}.weight`))
      }
      blocks.push(
        new Block(
          architecture,
          await vector(names.attentionNorm(layer)),
          await vector(names.mlpNorm(layer)),
          linears,
        ),
      )
    }
    const finalNorm = await vector(names.finalNorm)
    const head = architecture.tiedHead ? embedding : await matrix(names.head)
    const rope = ropeTable(architecture.context, architecture.headSize, architecture.ropeTheta)
    made.push(rope.cos, rope.sin)
    for (const table of [rope.cos, rope.sin]) await uploadNow('Loading the weights', table)
    throwIfAborted(signal)
    return new Transformer(architecture, ops, { embedding, blocks, finalNorm, head, rope })
  } catch (error) {
    for (const tensor of made) tensor.dispose()
    releaseFreeBuffers()
    throw error
  }
}
