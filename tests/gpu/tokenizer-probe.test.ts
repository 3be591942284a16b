// The worker that tries out a tokenizer's patterns, as browsers start it.
import { expect, test } from 'vitest'
import { probeTokenizer } from '../../workers/engine/probe.ts'

const withPattern = (pattern: string) => ({
  normalizer: null,
  pre_tokenizer: { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
  decoder: null,
})

test('a known pattern passes, one that takes too long is stopped after two seconds', async () => {
  await probeTokenizer(withPattern("'s|'t| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"))
  const start = performance.now()
  await expect(probeTokenizer(withPattern('\\p{L}*\\p{L}*!'))).rejects.toMatchObject({
    code: 'E_MODEL_UNSUPPORTED',
    message: expect.stringMatching(/stopped after 2 s/) as string,
  })
  const seconds = (performance.now() - start) / 1000
  expect(seconds).toBeGreaterThan(1.9)
  expect(seconds).toBeLessThan(12)
})
