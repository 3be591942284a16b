// The tensors of one or several safetensors files, read a range at a time: never a whole checkpoint in memory, and of a
// large matrix only the rows that are asked for.
import { GraftError } from '../../protocol/errors.ts'
import {
  headerLength,
  parseHeader,
  READABLE,
  readTensor,
  type TensorEntry,
} from '../../formats/safetensors.ts'

/** Where a checkpoint's tensors come from: files dropped on the page, chunks in IndexedDB, memory. */
export interface WeightSource {
  has(name: string): boolean
  /** Throws E_MODEL_FILES where there is no such tensor, E_MODEL_UNSUPPORTED where its numbers cannot be read. */
  shape(name: string): readonly number[]
  /** All values as f32, row-major: for small tensors. */
  read(name: string): Promise<Float32Array>
  /** Rows [begin, end) of the first dimension as f32, in an array of their own. */
  rows(name: string, begin: number, end: number): Promise<Float32Array>
}

/** Bytes that can be read in ranges: a dropped file, chunks in IndexedDB, an array. */
export interface ByteFile {
  name: string
  bytes: number
  read(begin: number, end: number): Promise<Uint8Array>
}

export function memoryFile(name: string, content: Uint8Array): ByteFile {
  return { name, bytes: content.length, read: (begin, end) => Promise.resolve(content.subarray(begin, end)) }
}

/** Opens the files by their headers. Throws E_FORMAT naming the tensor, E_MODEL_FILES where two files hold the same. */
export async function openWeights(files: readonly ByteFile[]): Promise<WeightSource> {
  const entries = new Map<string, { file: ByteFile; entry: TensorEntry }>()
  for (const file of files) {
    const length = headerLength(await file.read(0, Math.min(8, file.bytes)), file.bytes)
    const header = parseHeader(await file.read(8, 8 + length), file.bytes)
    for (const [name, entry] of header.tensors) {
      if (entries.has(name))
        throw new GraftError(
          'E_MODEL_FILES',
          `Both ${entries.get(name)!.file.name} and ${file.name} hold the tensor ${name}.`,
          { tensor: name },
        )
      entries.set(name, { file, entry })
    }
  }
  const find = (name: string) => {
    const found = entries.get(name)
    if (!found) throw new GraftError('E_MODEL_FILES', `The weights have no tensor ${name}.`, { tensor: name })
    return found
  }
  /** Values of the bytes [begin, end) of a file, which belong to one tensor. */
  const values = async (name: string, begin: number, end: number) => {
    const { file, entry } = find(name)
    const bytes = await file.read(begin, end)
    if (bytes.length !== end - begin)
      throw new GraftError(
        'E_MODEL_FILES',
        `${file.name} ends inside the tensor ${name}; it may have been cut or changed. Load the model again.`,
        { tensor: name },
      )
    return readTensor(bytes, { ...entry, begin: 0, end: bytes.length })
  }
  return {
    has: (name) => entries.has(name),
    shape(name) {
      const { file, entry } = find(name)
      if (!READABLE.includes(entry.dtype))
        throw new GraftError(
          'E_MODEL_UNSUPPORTED',
          `The tensor ${name} in ${file.name} is stored as ${entry.dtype}; Graft reads F32, F16 and BF16. Choose weights that are not quantised.`,
          { tensor: name, dtype: entry.dtype },
        )
      return entry.shape
    },
    read(name) {
      const { entry } = find(name)
      return values(name, entry.begin, entry.end)
    },
    rows(name, begin, end) {
      const { entry } = find(name)
      const count = entry.shape[0] ?? 1
      if (!(begin >= 0 && begin <= end && end <= count))
        throw new GraftError(
          'E_INTERNAL',
          `Rows ${begin} to ${end} of ${name} were asked for, which has ${count}.`,
          { tensor: name },
        )
      const bytes = count === 0 ? 0 : (entry.end - entry.begin) / count
      return values(name, entry.begin + begin * bytes, entry.begin + end * bytes)
    },
  }
}
