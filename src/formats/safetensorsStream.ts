// Safetensors whose values come later: the header needs only names and shapes, so a file of any size is written a piece at
// a time; very large ones as several files with an index, as transformers' save_pretrained does.
import { GraftError } from '../protocol/errors.ts'

export interface PlannedTensor {
  name: string
  shape: readonly number[]
}

/** Bytes that one file of a checkpoint has at most, as far as tensors are not larger: browsers read Blobs of 2 GB well. */
export const SHARD_BYTES = 2_000_000_000

/** The first bytes of a file in which these tensors follow each other, all of one type. */
export function streamHeader(
  tensors: readonly PlannedTensor[],
  dtype: 'F32' | 'F16' | 'BF16',
  metadata: Record<string, string> = { format: 'pt' },
): Uint8Array<ArrayBuffer> {
  const size = dtype === 'F32' ? 4 : 2
  const header = new Map<string, unknown>([['__metadata__', metadata]])
  let offset = 0
  for (const { name, shape } of tensors) {
    if (header.has(name)) throw new GraftError('E_ARGUMENT', `Two tensors are named "${name}".`, { name })
    const end = offset + size * elements(shape)
    header.set(name, { dtype, shape, data_offsets: [offset, end] })
    offset = end
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)))
  const padded = Math.ceil(json.length / 8) * 8
  const bytes = new Uint8Array(8 + padded)
  new DataView(bytes.buffer).setUint32(0, padded, true)
  bytes.fill(0x20, 8)
  bytes.set(json, 8)
  return bytes
}

/** Consecutive tensors by file. */
export function shards<T extends PlannedTensor>(
  tensors: readonly T[],
  bytesEach: number,
  limit = SHARD_BYTES,
): T[][] {
  const files: T[][] = []
  let room = 0
  for (const tensor of tensors) {
    const bytes = bytesEach * elements(tensor.shape)
    if (files.length === 0 || bytes > room) {
      files.push([])
      room = limit
    }
    files.at(-1)!.push(tensor)
    room -= bytes
  }
  return files
}

export function elements(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1)
}
