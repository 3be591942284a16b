// Many questions at once give what each gives alone.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, expect, it } from 'vitest'
import { answers } from '../../../src/core/explain/answers.ts'
import { inspectLogits } from '../../../src/core/explain/inspect.ts'
import type { Asked } from '../../../src/core/explain/subject.ts'
import { Turns } from '../../../src/core/turns.ts'
import { loadTiny } from './tiny.ts'

let asked: Asked

beforeAll(async () => {
  const model = await loadTiny('tiny-llama')
  asked = {
    model,
    trainable: { adaptation: null, classify: false },
    turns: new Turns(),
    padId: 3,
    maskId: null,
  }
})

it('rows of different lengths, in the order of the questions', async () => {
  const texts = [[12, 40, 7, 55, 31], [9], [5, 6, 5, 6, 5, 6, 5, 6, 5, 6, 5, 6], [12, 40]]
  const before = tf.memory().numTensors
  const found = await answers(
    asked,
    texts.map((ids) => ({ ids, position: ids.length - 1 })),
    [9, 2],
  )
  expect(tf.memory().numTensors).toBe(before)
  for (const [i, ids] of texts.entries()) {
    const { logits } = await inspectLogits(asked.model, ids, asked.trainable, 3, ids.length - 1)
    expect(found.logits[2 * i]).toBeCloseTo(logits[9]!, 5)
    expect(found.logits[2 * i + 1]).toBeCloseTo(logits[2]!, 5)
    const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0)
    expect(found.logSums[i]).toBeCloseTo(Math.log(sum), 4)
  }
})
