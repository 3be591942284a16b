// A worker that makes SHA-256s for an import, one after the other: crypto.subtle works in the thread that asks. Started by
// workers/import/hashBeside.ts.
import { digest } from './import/hash.ts'
import type { HashAnswer } from './import/hashBeside.ts'

let last = Promise.resolve()
self.onmessage = ({ data: bytes }: MessageEvent<Uint8Array<ArrayBuffer>>) => {
  last = last
    .then(async () => {
      const hash = await digest(bytes)
      self.postMessage({ hash, buffer: bytes.buffer } satisfies HashAnswer, [hash, bytes.buffer])
    })
    // Whoever started the worker is told.
    .catch(reportError)
}
