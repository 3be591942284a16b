// What a probe worker does: patterns on texts. A file of its own, because the worker needs nothing else.

export interface ProbeTask {
  source: string
  flags: string
  texts: string[]
}

/** Runs every pattern over its texts; gives the number of matches. */
export function runProbe(tasks: ProbeTask[]): number {
  let matches = 0
  for (const { source, flags, texts } of tasks)
    for (const text of texts) matches += Array.from(text.matchAll(new RegExp(source, flags))).length
  return matches
}
