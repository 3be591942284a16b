// Safetensors: an 8-byte little-endian header length, a JSON header, then the bytes of the tensors.
// https://huggingface.co/docs/safetensors. Files come from anywhere, so nothing in the header is believed: every length,
// offset and name is checked against the file before a byte of data is looked at.
import { GraftError } from '../protocol/errors.ts'
import { float16ToFloat32, bfloat16ToFloat32 } from './half.ts'
import { checkHeaderText } from './jsonHeader.ts'

/** Longest header taken; the format's own limit is 100 MB, the largest known models stay under 5 MB. */
export const HEADER_BYTES_LIMIT = 25 * 1024 * 1024

/** Bytes of one element, by the names of the format. */
const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
  C64: 8,
} as const
export type Dtype = keyof typeof DTYPE_BYTES

/** The types whose numbers are read; tensors of others may be in a file as long as nothing needs them. */
export const READABLE: readonly Dtype[] = ['F32', 'F16', 'BF16']

export interface TensorEntry {
  name: string
  dtype: Dtype
  shape: number[]
  /** Where the tensor's bytes are, counted from the start of the file. */
  begin: number
  end: number
}

export interface SafetensorsHeader {
  tensors: Map<string, TensorEntry>
  metadata: Record<string, string>
  /** Where the data begins, counted from the start of the file. */
  dataStart: number
}

export interface TensorToWrite {
  name: string
  shape: number[]
  data: Float32Array
}

/** Parses the header of a whole file. Throws E_FORMAT, naming the tensor where there is one to name. */
export function parseSafetensors(bytes: Uint8Array): SafetensorsHeader {
  const length = headerLength(bytes, bytes.length)
  return parseHeader(bytes.subarray(8, 8 + length), bytes.length)
}

/** Length of the JSON header, from the first eight bytes of a file. Throws E_FORMAT. */
export function headerLength(firstBytes: Uint8Array, fileBytes: number): number {
  if (firstBytes.length < 8 || fileBytes < 8) throw broken('it is shorter than eight bytes')
  const view = new DataView(firstBytes.buffer, firstBytes.byteOffset, 8)
  const length = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true)
  if (length > HEADER_BYTES_LIMIT)
    throw broken(`its header would be ${length} bytes long, and at most ${HEADER_BYTES_LIMIT} are taken`)
  if (8 + length > fileBytes) throw broken('it ends inside its header; the download may be cut')
  return length
}

/** Parses the JSON header (without its length) of a file of `fileBytes` bytes. Throws E_FORMAT. */
export function parseHeader(headerBytes: Uint8Array, fileBytes: number): SafetensorsHeader {
  const dataStart = 8 + headerBytes.length
  const json = parseJson(headerBytes)
  const tensors = new Map<string, TensorEntry>()
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') metadata = checkMetadata(value)
    else tensors.set(name, checkEntry(name, value, dataStart))
  }
  checkLayout([...tensors.values()], dataStart, fileBytes)
  return { tensors, metadata, dataStart }
}

/** The numbers of a tensor as float32, in a buffer of their own. Throws E_FORMAT for other types than F32, F16, BF16. */
export function readTensor(bytes: Uint8Array, entry: TensorEntry): Float32Array<ArrayBuffer> {
  if (entry.end > bytes.length) throw broken(`tensor "${entry.name}" ends after the file`, entry.name)
  // A copy, because a file's data need not be aligned. Typed arrays are little-endian wherever browsers run.
  // (Not `slice`: that of Node's Buffer, which tests and tools pass, is a view.)
  const { buffer } = new Uint8Array(bytes.subarray(entry.begin, entry.end))
  switch (entry.dtype) {
    case 'F32':
      return new Float32Array(buffer)
    case 'F16':
      return float16ToFloat32(new Uint16Array(buffer))
    case 'BF16':
      return bfloat16ToFloat32(new Uint16Array(buffer))
    default:
      throw broken(
        `tensor "${entry.name}" has the type ${entry.dtype}; F32, F16 and BF16 are read`,
        entry.name,
      )
  }
}

/**
 * A file of float32 tensors, sorted by name, its data aligned to eight bytes. Throws E_ARGUMENT if a name is taken twice
 * or a shape does not fit its data.
 */
export function writeSafetensors(
  tensors: TensorToWrite[],
  metadata: Record<string, string> = { format: 'pt' },
): Uint8Array<ArrayBuffer> {
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1))
  const header = new Map<string, unknown>([['__metadata__', metadata]])
  let offset = 0
  for (const { name, shape, data } of sorted) {
    if (header.has(name)) throw new GraftError('E_ARGUMENT', `Two tensors are named "${name}".`, { name })
    if (shape.reduce((product, size) => product * size, 1) !== data.length)
      throw new GraftError(
        'E_ARGUMENT',
        `Tensor "${name}" has ${data.length} numbers, which is not [${shape.join(', ')}].`,
        { name },
      )
    header.set(name, { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] })
    offset += data.byteLength
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)))
  const padded = Math.ceil(json.length / 8) * 8
  const bytes = new Uint8Array(8 + padded + offset)
  new DataView(bytes.buffer).setUint32(0, padded, true)
  bytes.fill(0x20, 8, 8 + padded)
  bytes.set(json, 8)
  let at = 8 + padded
  for (const { data } of sorted) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at)
    at += data.byteLength
  }
  return bytes
}

function parseJson(headerBytes: Uint8Array): Record<string, unknown> {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(headerBytes)
  } catch {
    throw broken('its header is not UTF-8')
  }
  checkHeaderText(text, broken)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw broken('its header is not JSON')
  }
  if (!isObject(json)) throw broken('its header is not a JSON object')
  return json
}

function checkMetadata(value: unknown): Record<string, string> {
  if (!isObject(value)) throw broken('its __metadata__ is not an object')
  const entries = Object.entries(value)
  for (const [key, text] of entries)
    if (typeof text !== 'string') throw broken(`its __metadata__ "${key}" is not a text`)
  return Object.fromEntries(entries) as Record<string, string>
}

function checkEntry(name: string, value: unknown, dataStart: number): TensorEntry {
  if (name === '__proto__') throw broken('it has a tensor named "__proto__"', name)
  if (!isObject(value)) throw broken(`the entry of tensor "${name}" is not an object`, name)
  const { dtype, shape, data_offsets: offsets } = value
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BYTES, dtype))
    throw broken(`tensor "${name}" has the unknown type ${String(JSON.stringify(dtype)).slice(0, 40)}`, name)
  if (!Array.isArray(shape) || !shape.every(isCount))
    throw broken(`the shape of tensor "${name}" is not a list of sizes`, name)
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    throw broken(`the data_offsets of tensor "${name}" are not two positions in a file`, name)
  const [begin, end] = offsets as [number, number]
  if (end < begin) throw broken(`tensor "${name}" ends before it begins`, name)
  let bytes: number = DTYPE_BYTES[dtype as Dtype]
  for (const size of shape) {
    bytes *= size
    if (!Number.isSafeInteger(bytes))
      throw broken(`the shape of tensor "${name}" is larger than any file`, name)
  }
  if (bytes !== end - begin)
    throw broken(`tensor "${name}" needs ${bytes} bytes for its shape and has ${end - begin}`, name)
  return { name, dtype: dtype as Dtype, shape, begin: dataStart + begin, end: dataStart + end }
}

/** The data must be covered exactly once: no overlap, no hole, nothing after the end. */
function checkLayout(entries: TensorEntry[], dataStart: number, fileBytes: number): void {
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let at = dataStart
  for (const { name, begin, end } of entries) {
    if (begin < at) throw broken(`tensor "${name}" overlaps the one before it`, name)
    if (begin > at) throw broken(`there is a hole of ${begin - at} bytes before tensor "${name}"`, name)
    if (end > fileBytes)
      throw broken(
        `tensor "${name}" ends ${end - fileBytes} bytes after the file; the download may be cut`,
        name,
      )
    at = end
  }
  if (at !== fileBytes) throw broken(`${fileBytes - at} bytes after the last tensor belong to nothing`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function broken(what: string, tensor?: string): GraftError {
  return new GraftError(
    'E_FORMAT',
    `This is not a valid safetensors file: ${what}.`,
    tensor === undefined ? {} : { tensor },
  )
}
