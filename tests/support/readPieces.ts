// A worker that reads a file piece by piece, with much to collect beside it, and says how many bytes there were.
import { pieces } from '../../workers/import/pieces.ts'

self.onmessage = async ({ data }: MessageEvent<Blob>) => {
  const spare: ArrayBuffer[] = []
  let bytes = 0
  let waste: unknown[] = []
  for await (const piece of pieces(data, () => spare.pop())) {
    bytes += piece.length
    spare.push(piece.buffer)
    for (let i = 0; i < 2000; i++) waste = [i, waste.length > 5 ? [] : waste, { i }]
  }
  self.postMessage(bytes)
}
