// Answers with cached keys and values are those of the whole text read anew for every token, windows included.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, describe, expect, it } from 'vitest'
import { inspectLogits } from '../../../src/core/explain/inspect.ts'
import { decode } from '../../../src/core/generate/generate.ts'
import { greedy, GREEDY } from '../../../src/core/generate/sampler.ts'
import { opsFor } from '../../../src/core/ops/index.ts'
import { Turns } from '../../../src/core/turns.ts'
import { loadTiny } from '../../golden/follow.ts'
import { FAMILY_NAMES } from '../../golden/load.ts'

beforeAll(() => tf.setBackend('cpu'))

/** Prompt and answer together are longer than every window of the tiny models. */
const PROMPT = Array.from({ length: 9 }, (_, t) => 5 + ((t * 29) % 60))
const TOKENS = 12

describe('an answer', () => {
  it.each(FAMILY_NAMES)('%s', async (name) => {
    const { model } = await loadTiny(name, opsFor('cpu'))
    if (model.architecture.kind === 'encoder') return model.dispose()
    const tensors = tf.memory().numTensors
    const { ids } = await decode({
      model,
      adaptation: () => null,
      turns: new Turns(),
      prompt: PROMPT,
      maxTokens: TOKENS,
      endIds: new Set(),
      sampling: GREEDY,
      onToken: () => false,
    })
    expect(tf.memory().numTensors).toBe(tensors)
    expect(ids).toHaveLength(TOKENS)
    const windows = model.architecture.attention.windows.filter((window) => window !== null)
    for (const window of windows) expect(window).toBeLessThan(PROMPT.length + TOKENS)
    for (let t = 0; t < TOKENS; t++) {
      const seen = [...PROMPT, ...ids.slice(0, t)]
      const { logits } = await inspectLogits(
        model,
        seen,
        { adaptation: null, classify: false },
        0,
        seen.length - 1,
      )
      expect(ids[t], `token ${t}`).toBe(greedy(logits))
    }
    model.dispose()
  })
})
