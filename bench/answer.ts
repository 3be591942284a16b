// A worker's side of a channel: jobs come as messages, results or the words of an error go back, as in Node (node.mjs).

export function answerJobs<Job>(run: (job: Job) => Promise<unknown>): void {
  addEventListener('message', ({ data }: MessageEvent<Job>) => {
    run(data).then(
      (result) => postMessage({ result }),
      (error: unknown) => postMessage({ error: error instanceof Error ? error.message : String(error) }),
    )
  })
}
