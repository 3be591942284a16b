// A large file is read to its end in Chromium, whatever the browser collects meanwhile.
import { expect, it } from 'vitest'

it('a read that is under way is answered, however much is collected', async () => {
  const part = new Blob([new Uint8Array(4 << 20)])
  const file = new Blob(Array.from({ length: 120 }, () => part))
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(new URL('../support/readPieces.ts', import.meta.url), { type: 'module' })
    const bytes = await new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data)
      worker.postMessage(file)
    })
    worker.terminate()
    expect(bytes).toBe(file.size)
  }
}, 20_000)
