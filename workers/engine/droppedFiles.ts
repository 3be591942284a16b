// Files of a model from the user's disk: chosen one by one, in a folder, or in a zip such as Graft's own merged models.
import { readZip, type ZipFile } from '../../src/formats/zip.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import { pieces, type ByteSource } from '../../src/store/chunks.ts'

export interface DroppedFile {
  /** With the folders around it, where they are known. */
  path: string
  name: string
  bytes: number
  open(signal: AbortSignal): Promise<ByteSource>
  /** Absent where a part cannot be had without the whole. */
  read?(begin: number, end: number): Promise<Uint8Array>
}

/** What is read of a zip at a time. */
const PIECE_BYTES = 8 * 2 ** 20
/** A packed file is unpacked in memory; weights are written unpacked by Graft, and do not get smaller by packing. */
const PACKED_BYTES_LIMIT = 256 * 2 ** 20

/** The files, and the name of the zip that they came in. Throws E_FORMAT and E_LIMIT where that is broken. */
export async function droppedFiles(
  chosen: readonly File[],
): Promise<{ files: DroppedFile[]; zip: string | null }> {
  const [first] = chosen
  if (chosen.length !== 1 || !/\.zip$/i.test(first!.name)) return { files: chosen.map(plainFile), zip: null }
  const zipped = await readZip(first!)
  return {
    files: [...zipped.values()].map((file) => zippedFile(first!.name, file)),
    zip: first!.name.slice(0, -'.zip'.length),
  }
}

function plainFile(file: File): DroppedFile {
  return {
    path: file.webkitRelativePath || file.name,
    name: file.name,
    bytes: file.size,
    open: () => Promise.resolve(pieces(file.stream())),
    read: async (begin, end) => new Uint8Array(await file.slice(begin, end).arrayBuffer()),
  }
}

function zippedFile(zip: string, file: ZipFile): DroppedFile {
  const { name: path, bytes, stored } = file
  const plain = { path, name: path.split('/').at(-1)!, bytes }
  if (stored)
    return {
      ...plain,
      open: (signal) => Promise.resolve(ranges(file, signal)),
      read: (begin, end) => file.read(begin, end),
    }
  return {
    ...plain,
    async open() {
      if (bytes > PACKED_BYTES_LIMIT)
        throw new GraftError(
          'E_LIMIT',
          `${path} is packed in ${zip} and has ${bytes} bytes; at most ${PACKED_BYTES_LIMIT} are unpacked here. Unpack the zip, then choose its folder.`,
          { file: path, bytes, limit: PACKED_BYTES_LIMIT },
        )
      return [await file.read()]
    },
  }
}

async function* ranges(file: ZipFile, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.bytes; at += PIECE_BYTES) {
    throwIfAborted(signal)
    yield await file.read(at, Math.min(file.bytes, at + PIECE_BYTES))
  }
}
