// Patterns of tokenizers: the known ones pass both guards, hostile ones are refused by their shape or stopped in a worker.
import { Worker as Thread } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { loadTokenizer } from '../../src/data/tokenizer.ts'
import { probePatterns, type ProbeWorker } from '../../src/data/tokenizer/patternProbe.ts'
import { patternOf, patternsIn } from '../../src/data/tokenizer/patterns.ts'
import { runProbe } from '../../src/data/tokenizer/runProbe.ts'
import { loadFolder } from './support/tokenizers.ts'

const refused = (message: RegExp) =>
  expect.objectContaining({
    code: 'E_MODEL_UNSUPPORTED',
    details: { file: 'tokenizer.json' },
    message: expect.stringMatching(message) as string,
  }) as Error

/** A thread of Node with the protocol of workers/patternProbe.ts. */
function thread(): ProbeWorker {
  const inner = new Thread(
    `const { parentPort } = require('node:worker_threads')
     const runProbe = ${runProbe.toString()}
     parentPort.on('message', (tasks) => { runProbe(tasks); parentPort.postMessage('done') })
     parentPort.postMessage('ready')`,
    { eval: true },
  )
  return {
    listen(onMessage, onError) {
      inner.on('message', onMessage)
      inner.on('error', (error) => onError(String(error)))
    },
    post: (tasks) => inner.postMessage(tasks),
    terminate: () => inner.terminate(),
  }
}

const known: Record<string, string> = {
  'GPT-2': String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  Qwen2: String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  'Llama 3': String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  'GPT-4o': String.raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  'DeepSeek V3':
    '[!"#$%&\'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+',
  CLIP: String.raw`<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`,
  BLOOM: ' ?[^(\\s|[.,!?…。，、।۔،])]+',
  spaces: ' {2,}',
  'groups of three digits': String.raw`\d{1,3}(?=(?:\d{3})*\b)`,
}

test.each(Object.entries(known))('%s passes', async (_name, pattern) => {
  expect(patternOf({ Regex: pattern })).toBeInstanceOf(RegExp)
  await probePatterns([pattern], thread)
})

const hostile: [string, RegExp][] = [
  ['(a+)+$', /repeats what it repeats/],
  ['(?:a+)*b', /repeats what it repeats/],
  ['(a|a)*$', /repeats what it repeats/],
  ['(a|ab|b)*$', /repeats what it repeats/],
  ['(\\p{L}|\\w)+!', /repeats what it repeats/],
  ['(?=(a+)+$)x', /repeats what it repeats/],
  ['((a{1,50}){1,50})b', /repeats what it repeats/],
  ['(a?){50}b', /repeats what it repeats/],
  ['((?:a*)b?)+c', /repeats what it repeats/],
  ['x(?i:(y+)*)z', /repeats what it repeats/],
  ['a*a*a*a*b', /endless repetitions of the same characters/],
  ['\\w+\\d+[0-9a-f]+!', /endless repetitions of the same characters/],
  ['.*.*.*x', /endless repetitions of the same characters/],
  ['(a*)(a*)(a*)b', /endless repetitions of the same characters/],
  ['\\s+ ?\\s+ ?\\s+x', /endless repetitions of the same characters/],
  ['(a+)\\1', /refers back/],
  ['(a', /open group/],
  ['a)', /not open/],
  ['[a', /open class/],
  ['('.repeat(100) + ')'.repeat(100), /nested too deeply/],
  ['a'.repeat(20_001), /20001 characters/],
  ['\\p{Nonsense}', /cannot be read/],
]

describe('refused by its shape, before it meets a text', () => {
  test.each(hostile)('%s', (pattern, message) => {
    expect(() => patternOf({ Regex: pattern })).toThrow(refused(message))
  })

  test('wherever it stands in a tokenizer.json', () => {
    const [json, config] = loadFolder('public/models/graft-7m')
    const pattern = { Regex: '(a+)+$' }
    const split = { type: 'Split', pattern, behavior: 'Isolated', invert: false }
    const replace = { type: 'Replace', pattern, content: '' }
    for (const change of [
      { pre_tokenizer: split },
      { pre_tokenizer: { type: 'Sequence', pretokenizers: [split] } },
      { normalizer: replace },
      { decoder: { type: 'Sequence', decoders: [replace] } },
    ]) {
      expect(() => loadTokenizer({ ...json, ...change }, config)).toThrow(refused(/\(a\+\)\+\$/))
      expect(patternsIn({ ...json, ...change })).toContain('(a+)+$')
    }
  })

  test('what passes ends on texts of its own letters', () => {
    const atom = fc.constantFrom('a', 'b', '[ab]', '\\s', '[^a]', '.', 'ab')
    const quantified = fc
      .tuple(atom, fc.constantFrom('', '?', '*', '+', '{1,3}'))
      .map(([a, q]) => (q && a === 'ab' ? `(?:${a})${q}` : a + q))
    const row = fc.array(quantified, { minLength: 1, maxLength: 5 }).map((items) => items.join(''))
    const group = fc.tuple(row, row, fc.constantFrom('', '?', '*', '+')).map(([a, b, q]) => `(${a}|${b})${q}`)
    let passed = 0
    fc.assert(
      fc.property(fc.array(fc.oneof(row, group), { minLength: 1, maxLength: 4 }), (parts) => {
        let pattern: RegExp
        try {
          pattern = patternOf({ Regex: `${parts.join('')}!` })
        } catch (error) {
          expect(error).toMatchObject({ code: 'E_MODEL_UNSUPPORTED' })
          return
        }
        passed++
        // Exponential ones would not come back from sixty letters; cubic ones are through in an instant.
        for (const text of ['a'.repeat(60), 'ab'.repeat(30), ' '.repeat(60)]) text.match(pattern)
      }),
      { numRuns: 300, seed: 1 },
    )
    expect(passed).toBeGreaterThan(50)
  })
})

describe('stopped in a worker', () => {
  test('a pattern of a good shape that takes the third power of the length', async () => {
    const pattern = '\\p{L}*\\p{L}*!'
    expect(patternOf({ Regex: pattern })).toBeInstanceOf(RegExp)
    const start = performance.now()
    await expect(probePatterns([pattern], thread)).rejects.toThrow(refused(/stopped after 2 s/))
    expect(performance.now() - start).toBeLessThan(12_000)
  })

  test('a worker that fails is a refusal, and is ended', async () => {
    let ended = 0
    const broken = (): ProbeWorker => ({
      listen: (_, onError) => setTimeout(() => onError('blocked')),
      post: () => undefined,
      terminate: () => ended++,
    })
    await expect(probePatterns(['a+'], broken)).rejects.toThrow(refused(/blocked/))
    expect(ended).toBe(1)
    await probePatterns([], broken)
    expect(ended).toBe(1)
  })
})
