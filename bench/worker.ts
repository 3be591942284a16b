// The bench in a worker of Chromium: jobs come as messages, as they do in Node (node.mjs).
import { runJob as runPeer } from './nanogpt.ts'
import { runJob, type Job, type PeerJob } from './jobs.ts'

addEventListener('message', ({ data }: MessageEvent<Job | PeerJob>) => {
  const work: Promise<unknown> = data.kind === 'nanogpt' ? runPeer(data) : runJob(data)
  work.then(
    (result) => postMessage({ result }),
    (error: unknown) => postMessage({ error: error instanceof Error ? error.message : String(error) }),
  )
})
