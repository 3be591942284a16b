// Frozen matrices from a stream of rows: each piece is quantised as it comes and written to the device, so JavaScript
// holds one piece at a time, whatever the matrix's size. What is too large for one binding of the device is split by rows.
import { backend as currentBackend, getBackend } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { GraftError, throwIfAborted } from '../../protocol/errors.ts'
import type { Precision } from '../../protocol/model.ts'
import { streamedTensor, type StreamedTensor } from './upload.ts'
import {
  ABSMAX_GROUP,
  disposeMatrix,
  matrixBytes,
  NF4_BLOCK,
  nf4Words,
  type FrozenMatrix,
  type Nf4Matrix,
  type WholeMatrix,
} from '../ops/matrix.ts'
import { F16_OVERFLOW, packHalves } from '../ops/quantise/f16.ts'
import { quantiseInt8 } from '../ops/quantise/int8.ts'
import { meanOf, quantiseAbsmax, quantiseNf4 } from '../ops/quantise/nf4.ts'

/** Float32 numbers of a piece, at most: 8 MiB. */
const PIECE_ELEMENTS = 1 << 21

type Rows = (begin: number, end: number) => Promise<Float32Array>

/** Bytes of the largest tensor that a kernel can read: WebGPU's limit on a binding; none elsewhere. */
export function largestTensor(): number {
  if (getBackend() !== 'webgpu') return Infinity
  const { maxStorageBufferBindingSize, maxBufferSize } = (currentBackend() as WebGPUBackend).device.limits
  return Math.min(maxStorageBufferBindingSize, maxBufferSize)
}

/**
 * Places a matrix on the current backend.
 * @param what the work, for messages: "Loading the weights (model.embed_tokens.weight)"
 * @param shape [out, in]
 * @param rows gives rows [begin, end) as f32; asked in order, about 8 MiB at a time
 * @param limit bytes of the largest tensor; a larger matrix becomes a `split` one
 * @throws E_MODEL_FILES where a value is not finite or does not fit the precision, E_MEMORY or E_GPU where the device
 * refuses, E_ABORTED, and what `rows` throws. Nothing of the matrix is left then; call `releaseFreeBuffers`.
 */
export async function placeMatrix(
  what: string,
  shape: readonly [number, number],
  precision: Precision,
  rows: Rows,
  signal?: AbortSignal,
  limit = largestTensor(),
): Promise<FrozenMatrix> {
  const [outputs, columns] = shape
  const perPart = rowsPerPart(what, shape, precision, limit)
  const step = rowsPerPiece(columns)
  const parts: Part[] = []
  try {
    for (let first = 0; first < outputs; first += perPart) {
      const last = Math.min(first + perPart, outputs)
      const part = await emptyPart(what, [last - first, columns], precision)
      parts.push(part)
      for (let begin = first; begin < last; begin += step) {
        throwIfAborted(signal)
        const values = await rows(begin, Math.min(begin + step, last)) // [<= step, columns]
        throwIfAborted(signal)
        checkValues(what, values, begin, columns, precision)
        await part.write(values)
      }
    }
    const matrices = precision === 'nf4' ? await withAbsmax(parts) : parts.map(({ matrix }) => matrix)
    return matrices.length === 1
      ? matrices[0]!
      : { kind: 'split', shape: [outputs, columns], parts: matrices }
  } catch (error) {
    for (const { matrix } of parts) disposeMatrix(matrix)
    throw error
  }
}

interface Part {
  matrix: WholeMatrix
  write(values: Float32Array): Promise<void>
  /** Of NF4: the absmax so far, and where their quantised form goes once the whole matrix has been seen. */
  absmax?: { values: Float32Array<ArrayBuffer>; tensor: StreamedTensor }
}

async function emptyPart(what: string, shape: [number, number], precision: Precision): Promise<Part> {
  const [rows, columns] = shape
  switch (precision) {
    case 'f32': {
      const data = await streamedTensor(what, [rows, columns], 'float32')
      return {
        matrix: { kind: 'f32', shape, data: data.tensor },
        write: (values) => data.write(values as Float32Array<ArrayBuffer>),
      }
    }
    case 'f16': {
      const data = await streamedTensor(what, [rows, Math.ceil(columns / 2)], 'int32')
      return {
        matrix: { kind: 'f16', shape, data: data.tensor },
        write: (values) => data.write(packHalves(values, columns)),
      }
    }
    case 'int8': {
      const [data, scales] = await twoTensors(
        () => streamedTensor(what, [rows, Math.ceil(columns / 4)], 'int32'),
        () => streamedTensor(what, [rows], 'float32'),
      )
      return {
        matrix: { kind: 'int8', shape, data: data.tensor, scales: scales.tensor },
        async write(values) {
          const quantised = quantiseInt8(values, columns)
          await data.write(quantised.words)
          await scales.write(quantised.scales)
        },
      }
    }
    case 'nf4':
      return emptyNf4(what, shape)
    default:
      return precision satisfies never
  }
}

async function emptyNf4(what: string, shape: [number, number]): Promise<Part> {
  const weights = shape[0] * shape[1]
  const words = nf4Words(weights)
  const [data, absmax] = await twoTensors(
    () => streamedTensor(what, [words.data], 'int32'),
    () => streamedTensor(what, [words.scales + words.codes], 'int32'),
  )
  const values = new Float32Array(Math.ceil(weights / NF4_BLOCK))
  let block = 0
  return {
    matrix: { kind: 'nf4', shape, data: data.tensor, absmax: absmax.tensor, absmaxOffset: 0 },
    absmax: { values, tensor: absmax },
    async write(piece) {
      const quantised = quantiseNf4(piece)
      values.set(quantised.absmax, block)
      block += quantised.absmax.length
      await data.write(quantised.words)
    },
  }
}

/** Quantises the absmax of NF4 parts less their mean over the whole matrix: the parts then equal those of one piece. */
async function withAbsmax(parts: readonly Part[]): Promise<WholeMatrix[]> {
  const offset = meanOf(parts.map(({ absmax }) => absmax!.values))
  for (const { absmax } of parts) await absmax!.tensor.write(quantiseAbsmax(absmax!.values, offset))
  return parts.map(({ matrix }) => ({ ...(matrix as Nf4Matrix), absmaxOffset: offset }))
}

async function twoTensors(
  first: () => Promise<StreamedTensor>,
  second: () => Promise<StreamedTensor>,
): Promise<[StreamedTensor, StreamedTensor]> {
  const one = await first()
  try {
    return [one, await second()]
  } catch (error) {
    one.tensor.dispose()
    throw error
  }
}

/** Rows of a piece: about 8 MiB of float32, and whole NF4 blocks but for the end of the matrix. */
function rowsPerPiece(columns: number): number {
  const aligned = rowsOfWhole(NF4_BLOCK, columns)
  return Math.max(aligned, downTo(aligned, PIECE_ELEMENTS / columns))
}

/**
 * Rows of a part that the device can bind. NF4 parts are whole groups of blocks, so that a split matrix has the same
 * codes as an undivided one.
 */
function rowsPerPart(
  what: string,
  [rows, columns]: readonly [number, number],
  precision: Precision,
  limit: number,
): number {
  if (largestOf([rows, columns], precision) <= limit) return Math.max(1, rows)
  const aligned = precision === 'nf4' ? rowsOfWhole(NF4_BLOCK * ABSMAX_GROUP, columns) : 1
  const count = downTo(aligned, (rows * limit) / largestOf([rows, columns], precision))
  if (count === 0)
    throw new GraftError(
      'E_MEMORY',
      `${what}: its rows of ${columns} numbers are too long for this device's largest buffer of ${limit} bytes. ` +
        'Choose a smaller model or a lower precision.',
      { tensor: what, limit },
    )
  return count
}

/** Bytes of the largest tensor of a matrix. */
function largestOf([rows, columns]: readonly [number, number], precision: Precision): number {
  if (precision === 'nf4') return 4 * nf4Words(rows * columns).data
  return matrixBytes([rows, columns], precision) - (precision === 'int8' ? 4 * rows : 0)
}

/** The least number of rows that holds a multiple of `unit` weights. */
function rowsOfWhole(unit: number, columns: number): number {
  let [a, b] = [unit, columns]
  while (b > 0) [a, b] = [b, a % b]
  return unit / a
}

function downTo(multiple: number, count: number): number {
  return Math.floor(count / multiple) * multiple
}

/** Quantising spreads what is not finite over a row or block, and f16 cannot hold everything: said here, by row. */
function checkValues(
  what: string,
  values: Float32Array,
  firstRow: number,
  columns: number,
  precision: Precision,
): void {
  if (precision === 'f32') return
  const limit = precision === 'f16' ? F16_OVERFLOW : Infinity
  // Not >=: NaN must be found.
  const at = values.findIndex((value) => !(Math.abs(value) < limit))
  if (at < 0) return
  const row = firstRow + Math.floor(at / columns)
  throw new GraftError(
    'E_MODEL_FILES',
    Number.isFinite(values[at])
      ? `${what}: row ${row} holds ${values[at]}, and f16 ends at 65504. Choose f32, int8 or nf4 for this model.`
      : `${what}: row ${row} holds ${values[at]}. The file is damaged, or the model was saved after it diverged.`,
    { tensor: what, row },
  )
}
