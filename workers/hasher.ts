// A worker that makes SHA-256s for an import: crypto.subtle works in the thread that asks. Started by workers/import/hashBeside.ts.
import type { HashAnswer } from './import/hashBeside.ts'
import { digest } from './import/hash.ts'

self.onmessage = async ({ data }: MessageEvent<Uint8Array<ArrayBuffer>>) => {
  const hash = await digest(data)
  self.postMessage(hash satisfies HashAnswer, [hash])
}
