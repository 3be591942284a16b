// A worker that hashes files beside an import and is ended with it.
import { pieces, sha256 } from '../src/store/chunks.ts'

self.onmessage = async ({ data }: MessageEvent<File[]>) => {
  try {
    const hash = sha256()
    for (const file of data) for await (const piece of pieces(file.stream())) hash.update(piece)
    self.postMessage({ hash: hash.hex() })
  } catch (error) {
    self.postMessage({ error: error instanceof Error ? error.message : String(error) })
  }
}
