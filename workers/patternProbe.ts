// A worker that runs the patterns of a tokenizer on hostile texts, and is ended if it does not come back.
import { runProbe, type ProbeTask } from '../src/data/tokenizer/runProbe.ts'

self.onmessage = ({ data }: MessageEvent<ProbeTask[]>) => {
  runProbe(data)
  self.postMessage('done')
}
self.postMessage('ready')
