// The second guard against patterns that run too long (the first is patternGuard.ts): each pattern meets long texts made from
// the characters that it tells apart. A JavaScript pattern cannot be interrupted, so it runs in a worker that can be ended.
import { atomsOf, SAMPLES } from './patternGuard.ts'
import { unsupported } from './json.ts'
import { translate } from './patterns.ts'
import type { ProbeTask } from './runProbe.ts'

/** Time for all patterns of a tokenizer; those of the known models take about a fiftieth of it. */
export const PROBE_LIMIT_MS = 2000
/** Length of each text: where the time grows with its square, milliseconds; with its third power, minutes. */
export const PROBE_LENGTH = 5000
/** Time for the worker to start, which is no fault of a pattern. */
const START_LIMIT_MS = 10_000
const KINDS_LIMIT = 48
/** What stands after a run, so that a pattern that wants more than the run fails at its end. */
const ENDS = ['', '!', 'a', '\u0378']

/** A worker that says `ready`, takes tasks, and says `done`. */
export interface ProbeWorker {
  listen(onMessage: (message: unknown) => void, onError: (reason: string) => void): void
  post(tasks: ProbeTask[]): void
  terminate(): unknown
}

/** Runs the patterns (as written in tokenizer.json) in a worker. Throws E_MODEL_UNSUPPORTED where they take too long. */
export async function probePatterns(
  patterns: readonly string[],
  spawn: () => ProbeWorker,
  limitMs = PROBE_LIMIT_MS,
): Promise<void> {
  if (patterns.length === 0) return
  const tasks = patterns.map(taskOf)
  const worker = spawn()
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const within = (ms: number, error: () => Error): void => {
        clearTimeout(timer)
        timer = setTimeout(() => reject(error()), ms)
      }
      const late = () =>
        unsupported(
          `one of its patterns was stopped after ${limitMs / 1000} s on a text of ${PROBE_LENGTH} characters, and could stop the page`,
        )
      worker.listen(
        (message) => {
          if (message === 'done') return resolve()
          within(limitMs, late)
          worker.post(tasks)
        },
        (reason) => reject(unsupported(`its patterns could not be tried out (${reason})`)),
      )
      within(START_LIMIT_MS, () => unsupported('its patterns could not be tried out in time'))
    })
  } finally {
    clearTimeout(timer)
    worker.terminate()
  }
}

/** A pattern with a long run of each kind of character that its atoms tell apart. */
function taskOf(pattern: string): ProbeTask {
  const { source, flags } = translate(pattern)
  const atoms = atomsOf(pattern).map(translate)
  const kinds = new Map<string, string>()
  for (const char of SAMPLES) {
    const kind = atoms.map((atom) => Number(char.search(atom) === 0)).join('')
    if (kind.includes('1') && !kinds.has(kind)) kinds.set(kind, char)
  }
  const runs = [...kinds.values()].slice(0, KINDS_LIMIT).map((char) => char.repeat(PROBE_LENGTH))
  return { source, flags, texts: runs.flatMap((run) => ENDS.map((end) => run + end)) }
}
