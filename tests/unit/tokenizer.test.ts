// Ids, decoded texts and chats against `transformers` (tools/golden/tokenizer.py).
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadTokenizer, type TextTokenizer } from '../../src/data/tokenizer.ts'
import type { Message } from '../../src/protocol/target.ts'
import { loadFolder } from './support/tokenizers.ts'

interface Golden {
  texts: string[]
  chats: Message[][]
  models: Record<string, { ids: number[][]; decoded: string[]; chats?: [string, string][] }>
}
const golden = JSON.parse(readFileSync('tests/golden/tokenizer.json', 'utf8')) as Golden
const folders: Record<string, string> = {
  'graft-7m': 'public/models/graft-7m',
  'tiny-llama': 'tests/golden/tiny-llama',
  'tiny-llama-odd': 'tests/golden/tiny-llama-odd',
}

describe.each(Object.entries(folders))('%s', (name, folder) => {
  const tokenizer = loadTokenizer(...loadFolder(folder))
  const { ids, decoded, chats } = golden.models[name]!

  test('ids of every text', () => {
    expect(golden.texts.length).toBeGreaterThan(180)
    for (const [i, text] of golden.texts.entries())
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids[i])
  })

  test('decoded text of every id list, and one text a token', () => {
    for (const [i, list] of ids.entries()) {
      expect(tokenizer.decode(list)).toBe(decoded[i])
      expect(tokenizer.tokens(list).length).toBe(list.length)
      const joined = tokenizer.tokens(list).join('')
      if (!joined.includes('\uFFFD')) expect(joined).toBe(golden.texts[i])
    }
  })

  test('chats', () => {
    for (const [i, messages] of golden.chats.entries()) {
      expect(tokenizer.renderChat(messages, false)).toBe(chats![i]![0])
      expect(tokenizer.renderChat(messages, true)).toBe(chats![i]![1])
    }
  })

  test('special tokens', () => {
    expect(tokenizer).toMatchObject({
      bosId: null,
      eosId: 0,
      padId: 3,
      endIds: [0, 2],
      prefixIds: [],
      suffixIds: [],
      hasChatTemplate: true,
    })
  })
})

describe('other layouts', () => {
  const [json, config] = loadFolder('public/models/graft-7m')
  const withSpecials = (single: unknown[]): TextTokenizer =>
    loadTokenizer(
      {
        ...json,
        post_processor: {
          type: 'TemplateProcessing',
          single,
          pair: [],
          special_tokens: { '<|endoftext|>': { id: '<|endoftext|>', ids: [0], tokens: ['<|endoftext|>'] } },
        },
      },
      { ...config, chat_template: undefined },
    )
  const special = { SpecialToken: { id: '<|endoftext|>', type_id: 0 } }
  const text = { Sequence: { id: 'A', type_id: 0 } }

  test('what a post-processor puts around a text is known', () => {
    const first = withSpecials([special, text])
    expect([first.prefixIds, first.suffixIds]).toEqual([[0], []])
    expect(first.encode('Hi')).toEqual([0, ...first.encode('Hi', { special: false })])
    const both = withSpecials([special, text, special])
    expect([both.prefixIds, both.suffixIds]).toEqual([[0], [0]])
  })

  test('no chat template: said so; a file of its own is used', () => {
    const none = loadTokenizer(json, { ...config, chat_template: undefined })
    expect(none.hasChatTemplate).toBe(false)
    expect(none.endIds).toEqual([0])
    expect(() => none.renderChat([], true)).toThrow(/no chat template/)
    const file = loadTokenizer(
      json,
      { ...config, chat_template: undefined },
      '{{ bos_token }}{{ messages[0].content }}',
    )
    expect(file.renderChat([{ role: 'user', content: 'x' }], true)).toBe('x')
  })

  test('a template that refuses is E_DATASET, a broken tokenizer E_MODEL_UNSUPPORTED', () => {
    const strict = loadTokenizer(json, {
      ...config,
      chat_template: "{{ raise_exception('No system role') }}",
    })
    expect(() => strict.renderChat([{ role: 'system', content: '' }], false)).toThrow(
      expect.objectContaining({
        code: 'E_DATASET',
        message: expect.stringContaining('No system role') as string,
      }),
    )
    for (const broken of [{}, { ...json, model: { type: 'Odd' } }])
      expect(() => loadTokenizer(broken, config)).toThrow(
        expect.objectContaining({ code: 'E_MODEL_UNSUPPORTED' }),
      )
    expect(() => loadTokenizer(json, { ...config, chat_template: '{% for %}' })).toThrow(
      expect.objectContaining({ code: 'E_MODEL_UNSUPPORTED' }),
    )
  })

  test('ids outside the vocabulary have no text', () => {
    const tokenizer = loadTokenizer(json, config)
    expect(tokenizer.decode([999_999])).toBe('')
    expect(tokenizer.decode([])).toBe('')
    expect(tokenizer.tokens([999_999])).toEqual(['\uFFFD'])
  })
})
