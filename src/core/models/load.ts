// From checkpoint tensors to a model on the device, one tensor at a time.
import { add, tensor, tidy, type Tensor } from '@tensorflow/tfjs-core'
import { throwIfAborted } from '../../protocol/errors.ts'
import type { Precision } from '../../protocol/model.ts'
import { releaseFreeBuffers } from '../backend/memory.ts'
import { placeMatrix } from '../backend/placeMatrix.ts'
import { uploadNow } from '../backend/upload.ts'
import { disposeMatrix, type FrozenMatrix } from '../ops/matrix.ts'
import type { Ops } from '../ops/ops.ts'
import type { Architecture, Family } from './architecture.ts'
import { buildTransformer, type LoadedTensors } from './build.ts'
import { checkTensors, storedName, type TensorSpec } from './tensors.ts'
import type { Transformer } from './transformer.ts'
import type { WeightSource } from './weights.ts'

export interface LoadSettings {
  /** Of linear layers; default f32. */
  precision?: Precision
  /** Of the token table and the head; default as `tablePrecision` says. */
  tables?: Precision
  /** Told how many tensors of how many are there. */
  onTensor?: (done: number, total: number) => void
  signal?: AbortSignal
}

const WHAT = 'Loading the weights'

/** QLoRA keeps tables in halves: four bits a weight are for the linear layers, whose errors average out. */
function tablePrecision(precision: Precision): Precision {
  return precision === 'nf4' ? 'f16' : precision
}

/** The precision of a tensor on the device; vectors stay float32. */
export function precisionOf(
  role: TensorSpec['role'],
  { precision = 'f32', tables }: LoadSettings,
): Precision {
  if (role === 'vector') return 'f32'
  return role === 'table' ? (tables ?? tablePrecision(precision)) : precision
}

/**
 * Loads every tensor in turn. Frees everything if it fails.
 * Throws E_MODEL_FILES, E_FORMAT, E_HASH from the source, E_MEMORY where the device has no room, E_ABORTED.
 */
export async function loadTransformer(
  family: Family,
  architecture: Architecture,
  source: WeightSource,
  ops: Ops,
  settings: LoadSettings = {},
): Promise<Transformer> {
  const specs = checkTensors(family, architecture, source)
  const loaded = await loadTensors(family, architecture, source, specs, settings)
  const model = buildTransformer(family, architecture, loaded, ops)
  try {
    for (const { cos, sin } of model.ropes) {
      await uploadNow(WHAT, cos)
      await uploadNow(WHAT, sin)
    }
    throwIfAborted(settings.signal)
  } catch (error) {
    model.disposeRopes()
    disposeTensors(loaded)
    throw error
  }
  return model
}

/** Loads the tensors of some of the specs; frees all of them and throws as `loadTransformer` if one fails. */
export async function loadTensors(
  family: Family,
  architecture: Architecture,
  source: WeightSource,
  specs: readonly TensorSpec[],
  settings: LoadSettings,
): Promise<LoadedTensors> {
  const { onTensor, signal } = settings
  const loaded: LoadedTensors = { matrices: new Map(), vectors: new Map() }
  try {
    for (const [done, spec] of specs.entries()) {
      throwIfAborted(signal)
      if (spec.role === 'vector')
        loaded.vectors.set(spec.name, await placeVector(family, architecture, source, spec))
      else
        loaded.matrices.set(
          spec.name,
          await place(family, source, spec, precisionOf(spec.role, settings), signal),
        )
      onTensor?.(done + 1, specs.length)
    }
    return loaded
  } catch (error) {
    disposeTensors(loaded)
    throw error
  }
}

/** Gives the memory of tensors that no model owns yet back to the device. */
export function disposeTensors({ matrices, vectors }: LoadedTensors): void {
  for (const matrix of matrices.values()) disposeMatrix(matrix)
  for (const vector of vectors.values()) vector.dispose()
  releaseFreeBuffers()
}

/** Norm weights take their offset here, so that the layers need not. */
async function placeVector(
  family: Family,
  { norm }: Architecture,
  source: WeightSource,
  { name, shape }: TensorSpec,
): Promise<Tensor> {
  const values = await source.read(storedName(family, source, name)!)
  const plain = tensor(values, shape as number[])
  const shifted =
    norm.offset !== 0 && name.endsWith('norm.weight') ? tidy(() => add(plain, norm.offset)) : plain
  if (shifted !== plain) plain.dispose()
  try {
    await uploadNow(WHAT, shifted)
  } catch (error) {
    shifted.dispose()
    throw error
  }
  return shifted
}

async function place(
  family: Family,
  source: WeightSource,
  { name, shape, transposed }: TensorSpec,
  precision: Precision,
  signal?: AbortSignal,
): Promise<FrozenMatrix> {
  const stored = storedName(family, source, name)!
  const [out, inputs] = shape as [number, number]
  const rows = transposed
    ? transposedRows(await source.read(stored), out, inputs)
    : (begin: number, end: number) => source.rows(stored, begin, end)
  return placeMatrix(`${WHAT} (${name})`, [out, inputs], precision, rows, signal)
}

/** Rows of W [out, in] that is stored as [in, out]. */
function transposedRows(stored: Float32Array, out: number, inputs: number) {
  return (begin: number, end: number): Promise<Float32Array> => {
    const rows = new Float32Array((end - begin) * inputs)
    for (let row = begin; row < end; row++)
      for (let column = 0; column < inputs; column++)
        rows[(row - begin) * inputs + column] = stored[column * out + row]!
    return Promise.resolve(rows)
  }
}
