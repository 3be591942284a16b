// A checkpoint as bytes: a little-endian uint32 length, that much JSON (padded with spaces to a multiple of four), then
// the float32 numbers of each tensor in the order the JSON lists them.
import { GraftError } from '../protocol/errors.ts'

export interface CheckpointPayload {
  /** JSON: step, data cursor, configuration. No NaN, no Infinity, no typed arrays. */
  meta: unknown
  tensors: Record<string, Float32Array>
}

interface Header {
  meta: unknown
  tensors: { name: string; length: number }[]
}

/** The bytes of a payload as pieces; tensors are not copied. */
export function packPayload({ meta, tensors }: CheckpointPayload): Uint8Array[] {
  const entries = Object.entries(tensors)
  const header: Header = { meta, tensors: entries.map(([name, { length }]) => ({ name, length })) }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const padded = Math.ceil(json.length / 4) * 4
  const start = new Uint8Array(4 + padded).fill(0x20)
  new DataView(start.buffer).setUint32(0, padded, true)
  start.set(json, 4)
  return [start, ...entries.map(([, data]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))]
}

/** The payload of bytes made by `packPayload`; tensors are copies with their own buffers. Throws E_FORMAT. */
export function unpackPayload(bytes: Uint8Array<ArrayBuffer>): CheckpointPayload {
  try {
    const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Header
    let at = bytes.byteOffset + 4 + length
    const tensors: Record<string, Float32Array> = {}
    for (const { name, length: count } of header.tensors) {
      tensors[name] = new Float32Array(bytes.buffer.slice(at, at + count * 4))
      at += count * 4
    }
    return { meta: header.meta, tensors }
  } catch (cause) {
    throw new GraftError(
      'E_FORMAT',
      'A checkpoint has an unknown layout: it was saved by another version of Graft.',
      {},
      { cause },
    )
  }
}
