// What tokenizer_config.json adds to a tokenizer.json, the texts of single tokens, and tokenizers that are refused by name.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadTokenizer } from '../../src/data/tokenizer.ts'

type Json = Record<string, unknown>
const kind = (name: string): Json =>
  JSON.parse(readFileSync(`tests/golden/tokenizers/${name}.json`, 'utf8')) as Json

describe('special tokens', () => {
  test('of an encoder: mask, [CLS], [SEP]', () => {
    const config = {
      mask_token: { content: '[MASK]' },
      cls_token: '[CLS]',
      sep_token: '[SEP]',
      pad_token: '[PAD]',
    }
    const tokenizer = loadTokenizer(kind('bert-uncased'), config)
    expect(tokenizer).toMatchObject({ maskId: 4, maskText: '[MASK]', clsId: 2, sepId: 3, padId: 0 })
    expect(tokenizer).toMatchObject({ prefixIds: [2], suffixIds: [3], eosId: null, prependsSpace: false })
    const ids = tokenizer.encode('a [MASK] b')
    expect(ids[2]).toBe(tokenizer.maskId)
    expect(tokenizer.isSpecial(4)).toBe(true)
  })

  test('RoBERTa’s mask takes the space before it', () => {
    const tokenizer = loadTokenizer(kind('roberta'), { mask_token: '<mask>' })
    const mask = tokenizer.maskId!
    expect(tokenizer.encode('the  <mask> of', { special: false })).toEqual([
      ...tokenizer.encode('the', { special: false }),
      mask,
      ...tokenizer.encode(' of', { special: false }),
    ])
  })

  test('a token that the tokenizer does not have has no id', () => {
    expect(loadTokenizer(kind('gpt2'), { mask_token: '<none>', eos_token: '<|endoftext|>' })).toMatchObject({
      maskId: null,
      maskText: null,
      eosId: 0,
      padId: 0,
    })
  })

  test('a BOS comes from tokenizer.json alone, as in transformers 5', () => {
    const config = { bos_token: '<s>', eos_token: '</s>', add_bos_token: false, add_eos_token: true }
    expect(loadTokenizer(kind('llama'), config)).toMatchObject({ prefixIds: [1], suffixIds: [], eosId: 2 })
  })
})

// Ids by transformers 5.23.0 for 'hello world', with <s> and </s> around them.
describe.each([
  ['roberta', [291, 302, 83, 277, 299, 346], [628, 302, 83, 277, 299, 346]],
  ['roberta-prefix-space', [329, 305, 81, 267, 297, 356], [572, 305, 81, 267, 297, 356]],
])('add_prefix_space of %s', (name, without, withSpace) => {
  const ids = (config: Json) => loadTokenizer(kind(name), config).encode('hello world', { special: false })

  test('counts for the classes of GPT-2 and RoBERTa', () => {
    for (const tokenizer_class of ['RobertaTokenizerFast', 'GPT2TokenizerFast', 'RobertaTokenizer']) {
      expect(ids({ tokenizer_class })).toEqual(without)
      expect(ids({ tokenizer_class, add_prefix_space: false })).toEqual(without)
      expect(ids({ tokenizer_class, add_prefix_space: true })).toEqual(withSpace)
    }
  })

  test('does not count for others', () => {
    const own = name === 'roberta' ? without : withSpace
    for (const add_prefix_space of [true, false]) {
      expect(ids({ tokenizer_class: 'PreTrainedTokenizerFast', add_prefix_space })).toEqual(own)
      expect(ids({ add_prefix_space })).toEqual(own)
    }
  })
})

describe('texts', () => {
  test('of single tokens: a word has the space before it', () => {
    const bert = loadTokenizer(kind('bert-uncased'), {})
    const ids = bert.encode('There is the unbelievable [MASK].')
    expect(bert.tokens(ids).join('')).toBe('[CLS] there is the unbelievable[MASK] .[SEP]')
    const llama = loadTokenizer(kind('llama'), {})
    expect(llama.tokens(llama.encode('is the\n')).join('')).toBe('<s> is the\n')
    expect(llama.tokens(llama.encode('ⰰ', { special: false }))).toEqual([' ', '\uFFFD', '\uFFFD', '\uFFFD'])
  })

  test('spaces before punctuation go where the configuration says so, but not from BPE', () => {
    const config = { clean_up_tokenization_spaces: true }
    const json = kind('bert-uncased')
    const plain = { ...json, decoder: { type: 'WordPiece', prefix: '##', cleanup: false } }
    const ids = loadTokenizer(json, {}).encode('is it ? it is .', { special: false })
    expect(loadTokenizer(plain, {}).decode(ids)).toBe('is it ? it is .')
    expect(loadTokenizer(plain, config).decode(ids)).toBe('is it? it is.')
    expect(loadTokenizer(plain, config).decode(ids, { exact: true })).toBe('is it ? it is .')
    const gpt2 = loadTokenizer(kind('gpt2'), config)
    expect(gpt2.decode(gpt2.encode('is it ? it is .'))).toBe('is it ? it is .')
  })
})

describe('added tokens without a row in the model', () => {
  const json = kind('gemma')
  const added = json.added_tokens as Json[]
  const size = loadTokenizer(json, {}).size
  const image = { id: size, content: '<image>', special: true, normalized: false }
  const wider = { ...json, added_tokens: [...added, image] }

  test('are left out, and read as the letters they are', () => {
    const whole = loadTokenizer(wider, {})
    expect(whole.encode('<image>', { special: false })).toEqual([size])
    const cut = loadTokenizer(wider, {}, undefined, size)
    expect(cut).toMatchObject({ size, largestId: size - 1 })
    expect(cut.encode('<image>')).toEqual(loadTokenizer(json, {}).encode('<image>'))
  })

  test('stay where the configuration needs them, so that the model is refused', () => {
    expect(loadTokenizer(wider, { eos_token: '<image>' }, undefined, size).largestId).toBe(size)
    const around = {
      ...wider,
      post_processor: { type: 'BertProcessing', cls: ['<image>', size], sep: ['x', 0] },
    }
    expect(loadTokenizer(around, {}, undefined, size).largestId).toBe(size)
  })
})

describe('refused by name', () => {
  const json = kind('llama')
  const model = json.model as Json
  const cases: [string, Json, RegExp][] = [
    ['normaliser', { normalizer: { type: 'Odd' } }, /the normaliser "Odd"/],
    ['pre-tokeniser', { pre_tokenizer: { type: 'UnicodeScripts' } }, /the pre-tokeniser "UnicodeScripts"/],
    ['post-processor', { post_processor: { type: 'Odd' } }, /the post-processor "Odd"/],
    ['decoder', { decoder: { type: 'CTC' } }, /the decoder "CTC"/],
    ['model', { model: { type: 'Odd' } }, /the model "Odd"/],
    ['dropout', { model: { ...model, dropout: 0.1 } }, /at random \(dropout\)/],
    ['merges of other tokens', { model: { ...model, merges: ['qq zz'] } }, /its merge 1 has tokens/],
    ['a merge of three', { model: { ...model, merges: ['a b c'] } }, /is not two tokens/],
    ['an id that is none', { model: { ...model, vocab: { a: -1 } } }, /its id of "a"/],
    ['a vocabulary that is a text', { model: { ...model, vocab: 'a' } }, /vocabulary is not an object/],
    ['Unigram without an unknown token', { model: { type: 'Unigram', vocab: [['a', 0]] } }, /unk_id/],
    [
      'Unigram with a broken entry',
      { model: { type: 'Unigram', vocab: [['a']] } },
      /entry 0 of its vocabulary/,
    ],
    [
      'WordPiece without an unknown token',
      { model: { type: 'WordPiece', vocab: {}, unk_token: 'x' } },
      /unknown token "x"/,
    ],
    ['a charsmap', { normalizer: { type: 'Precompiled', precompiled_charsmap: '!' } }, /base64/],
    [
      'a charsmap that is cut',
      { normalizer: { type: 'Precompiled', precompiled_charsmap: '/////w==' } },
      /is cut/,
    ],
    [
      'a template without the text',
      { post_processor: { type: 'TemplateProcessing', single: [], special_tokens: {} } },
      /leaves the text out/,
    ],
    ['an added token without an id', { added_tokens: [{ content: 'x' }] }, /its id of "x"/],
    ['a behaviour', { pre_tokenizer: { type: 'Punctuation', behavior: 'odd' } }, /unknown way "odd"/],
  ]
  test.each(cases)('%s', (_name, change, message) => {
    expect(() => loadTokenizer({ ...json, ...change }, {})).toThrow(
      expect.objectContaining({
        code: 'E_MODEL_UNSUPPORTED',
        message: expect.stringMatching(message) as string,
      }),
    )
  })
})
