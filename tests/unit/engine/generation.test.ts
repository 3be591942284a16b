// What may be asked of an answer's sampling: every refusal names the setting and what it may be.
import { describe, expect, it } from 'vitest'
import { checkGeneration, GENERATE_DEFAULTS } from '../../../workers/engine/questions.ts'

type Settings = Partial<typeof GENERATE_DEFAULTS>

describe('settings of an answer', () => {
  it.each<Settings>([
    {},
    { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 },
    { minP: 1, repetitionPenalty: 0.5 },
    { repetitionPenalty: 100, maxTokens: 1 },
  ])('takes %o', (change) => {
    expect(() => checkGeneration({ ...GENERATE_DEFAULTS, ...change })).not.toThrow()
  })

  it.each<Settings>([
    { maxTokens: 0 },
    { temperature: -1 },
    { topK: 1.5 },
    { topP: 0 },
    { topP: 1.1 },
    { minP: -0.1 },
    { minP: 1.01 },
    { minP: NaN },
    { repetitionPenalty: 0 },
    { repetitionPenalty: 101 },
    { repetitionPenalty: NaN },
  ])('refuses %o', (change) => {
    const [setting] = Object.keys(change)
    expect(() => checkGeneration({ ...GENERATE_DEFAULTS, ...change })).toThrow(
      expect.objectContaining({
        code: 'E_ARGUMENT',
        message: expect.stringContaining(setting!) as string,
      }) as Error,
    )
  })
})
