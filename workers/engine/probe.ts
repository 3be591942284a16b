// Tries out a tokenizer's patterns before they meet a text, in a worker of the engine worker.
import { trustedScript } from '../../src/core/backend/trustedScript.ts'
import { patternsIn } from '../../src/data/tokenizer/patterns.ts'
import { probePatterns, type ProbeWorker } from '../../src/data/tokenizer/patternProbe.ts'
import probeUrl from '../patternProbe.ts?worker&url'

/** Throws E_MODEL_UNSUPPORTED where a pattern of the tokenizer.json runs for too long. */
export async function probeTokenizer(tokenizerJson: unknown): Promise<void> {
  // Node, where the engine's parts are tested, has no such workers; the check of a pattern's shape holds there too.
  if (typeof Worker === 'undefined') return
  await probePatterns(patternsIn(tokenizerJson), spawn)
}

function spawn(): ProbeWorker {
  const worker = new Worker(trustedScript(probeUrl), { type: 'module', name: 'graft-patterns' })
  return {
    listen(onMessage, onError) {
      worker.onmessage = ({ data }) => onMessage(data)
      worker.onerror = ({ message }) => onError(message ?? 'the worker did not start')
    },
    post: (tasks) => worker.postMessage(tasks),
    terminate: () => worker.terminate(),
  }
}
