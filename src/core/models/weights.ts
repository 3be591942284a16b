// The tensors of one or several safetensors files, read a range at a time: never a whole checkpoint in memory.
import { GraftError } from '../../protocol/errors.ts'
import { headerLength, parseHeader, readTensor, type TensorEntry } from '../../formats/safetensors.ts'
import type { WeightSource } from './load.ts'

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
  return {
    has: (name) => entries.has(name),
    shape: (name) => find(name).entry.shape,
    async read(name) {
      const { file, entry } = find(name)
      const bytes = await file.read(entry.begin, entry.end)
      return readTensor(bytes, { ...entry, begin: 0, end: bytes.length })
    },
  }
}
