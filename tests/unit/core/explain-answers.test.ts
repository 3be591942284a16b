// Many questions at once give what each gives alone.
import * as tf from '@tensorflow/tfjs-core'
import '@tensorflow/tfjs-backend-cpu'
import { beforeAll, expect, it } from 'vitest'
import { answers, batchFrom, ROWS_AT_ONCE, TOKENS_AT_ONCE } from '../../../src/core/explain/answers.ts'
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

it('a batch holds as many tokens as go through at once, its padding counted, and one text at least', () => {
  const of = (...lengths: number[]) => lengths.map((length) => ({ ids: new Array<number>(length).fill(5) }))
  const order = [0, 1, 2, 3]
  const half = TOKENS_AT_ONCE / 2
  expect(batchFrom(order, 0, of(half, half, half, half))).toEqual([0, 1])
  // The longest of a batch makes the others as long.
  expect(batchFrom(order, 0, of(1, 1, half, half))).toEqual([0, 1])
  expect(batchFrom(order, 2, of(1, 1, half, half))).toEqual([2, 3])
  expect(batchFrom(order, 3, of(1, 1, 1, 2 * TOKENS_AT_ONCE))).toEqual([3])
  const many = Array.from({ length: 2 * ROWS_AT_ONCE }, (_, i) => i)
  expect(batchFrom(many, 0, of(...many.map(() => 1)))).toHaveLength(ROWS_AT_ONCE)
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
