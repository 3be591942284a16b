// Rows as training examples: which ids, and which of them are learned.
import { describe, expect, test } from 'vitest'
import {
  chatExample,
  classifyExample,
  classifyExamples,
  completeExample,
  IGNORED,
  instructExample,
  languageExamples,
  type LanguageExample,
} from '../../src/data/examples.ts'
import { parseMessages } from '../../src/data/messages.ts'
import { renderPrompt } from '../../src/data/templates.ts'
import { loadTokenizer } from '../../src/data/tokenizer.ts'
import type { TaskConfig } from '../../src/protocol/data.ts'
import type { Message } from '../../src/protocol/target.ts'
import { loadFolder } from './support/tokenizers.ts'

const [json, config] = loadFolder('public/models/graft-7m')
const tokenizer = loadTokenizer(json, config)
const plain = loadTokenizer(json, { ...config, chat_template: undefined })
const special = { SpecialToken: { id: '<|im_start|>', type_id: 0 } }
const withSpecials = loadTokenizer(
  {
    ...json,
    post_processor: {
      type: 'TemplateProcessing',
      single: [special, { Sequence: { id: 'A', type_id: 0 } }, special],
      pair: [],
      special_tokens: { '<|im_start|>': { id: '<|im_start|>', ids: [1], tokens: ['<|im_start|>'] } },
    },
  },
  { ...config, chat_template: undefined },
)
const long = { maxLength: 1000 }
const ids = (text: string): number[] => tokenizer.encode(text, { special: false })
const learned = ({ ids: all, labels }: LanguageExample): string =>
  tokenizer.decode(
    all.filter((_, i) => labels[i] !== IGNORED),
    { special: true },
  )
const whole = (example: LanguageExample): string => tokenizer.decode(example.ids, { special: true })
const consistent = ({ ids: all, labels, trained }: LanguageExample): void => {
  expect(labels.length).toBe(all.length)
  labels.forEach((label, i) => expect(label === IGNORED || label === all[i]).toBe(true))
  expect(labels.slice(1).filter((label) => label !== IGNORED).length).toBe(trained)
}

describe('classify', () => {
  test('ids of the text, index of the label', () => {
    expect(classifyExample(tokenizer, { text: 'I lost my card', label: 'b' }, ['a', 'b'], long)).toEqual({
      ids: ids('I lost my card'),
      label: 1,
      truncated: false,
    })
  })
  test('is cut on the right, between the special tokens', () => {
    const cut = classifyExample(tokenizer, { text: 'one two three four five', label: 'a' }, ['a'], {
      maxLength: 3,
    })
    expect(cut).toMatchObject({ ids: ids('one two three four five').slice(0, 3), truncated: true })
    const kept = classifyExample(withSpecials, { text: 'one two three four five', label: 'a' }, ['a'], {
      maxLength: 4,
    })
    expect(kept).toMatchObject({
      ids: [1, ...ids('one two three four five').slice(0, 2), 1],
      truncated: true,
    })
  })
  test('says what is wrong with a row', () => {
    expect(classifyExample(tokenizer, { text: '', label: 'a' }, ['a'], long).problem).toMatch(/text is empty/)
    expect(classifyExample(tokenizer, { text: 'x', label: '' }, ['a'], long).problem).toMatch(
      /label is empty/,
    )
    expect(classifyExample(tokenizer, { text: 'x', label: 'z' }, ['a'], long).problem).toMatch(/"z"/)
  })
})

describe('complete', () => {
  test('prompt and completion: plain concatenation, the completion and the end are learned', () => {
    const example = completeExample(
      tokenizer,
      { prompt: 'area[riverside]', completion: 'By the river.' },
      { ...long, separator: '\n' },
    )
    const prompt = ids('area[riverside]\n')
    expect(example.ids).toEqual([...prompt, ...ids('By the river.'), 0])
    expect(example.labels).toEqual([...prompt.map(() => IGNORED), ...ids('By the river.'), 0])
    expect(example).toMatchObject({ truncated: false, trained: ids('By the river.').length + 1 })
  })
  test('a text alone: everything is learned; the first token has nothing before it', () => {
    const example = completeExample(tokenizer, { text: 'Once upon a time' }, long)
    expect(example.ids).toEqual([...ids('Once upon a time'), 0])
    expect(example.labels).toEqual(example.ids)
    expect(example.trained).toBe(example.ids.length - 1)
  })
  test('a tokenizer with BOS puts it once, at the start, unlearned', () => {
    const example = completeExample(withSpecials, { prompt: 'a', completion: 'b' }, long)
    expect(example.ids).toEqual([1, ...ids('a'), ...ids('b'), 0])
    expect(example.labels.slice(0, 2)).toEqual([IGNORED, IGNORED])
  })
  test('a prompt that fills the length leaves nothing to learn, and says so', () => {
    const example = completeExample(
      tokenizer,
      { prompt: 'one two three four', completion: 'five' },
      { maxLength: 3 },
    )
    expect(example).toMatchObject({ truncated: true, trained: 0 })
    expect(example.problem).toMatch(/longer than 3 tokens/)
    expect(completeExample(tokenizer, { prompt: 'a', completion: ' ' }, long)).toMatchObject({
      trained: 0,
      problem: expect.any(String) as string,
    })
  })
})

describe('instruct and chat', () => {
  test('the answer and its terminator are learned, nothing else', () => {
    const example = instructExample(tokenizer, { prompt: 'Greet me', completion: 'Hello!' }, long)
    consistent(example)
    expect(whole(example)).toBe(
      '<|im_start|>user\nGreet me<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n',
    )
    expect(learned(example)).toBe('Hello!<|im_end|>')
  })
  test('use: the prompt of generation is what stood before the answer', () => {
    const task: TaskConfig = { task: 'instruct', columns: { prompt: 'p', completion: 'c' } }
    const example = instructExample(tokenizer, { prompt: 'Greet me', completion: 'Hello!' }, long)
    const prompt = renderPrompt(task, tokenizer, 'Greet me')
    expect(example.ids.slice(0, prompt.ids.length)).toEqual(prompt.ids)
    expect(example.labels[prompt.ids.length]).toBe(ids('Hello')[0])
    expect(prompt.text).toMatch(/assistant\n$/)
  })
  test('without a template: the plain form, and the end token', () => {
    const example = instructExample(plain, { prompt: 'Greet me', completion: 'Hello!' }, long)
    consistent(example)
    expect(whole(example)).toBe('### Instruction:\nGreet me\n\n### Response:\nHello!<|endoftext|>')
    expect(learned(example)).toBe('Hello!<|endoftext|>')
    expect(renderPrompt({ task: 'instruct', columns: {} }, plain, 'Greet me').text).toBe(
      '### Instruction:\nGreet me\n\n### Response:\n',
    )
  })
  const talk: Message[] = [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: '2 + 2?' },
    { role: 'assistant', content: '4' },
    { role: 'user', content: '3 + 3?' },
    { role: 'assistant', content: '6' },
  ]
  test('every answer of a conversation is learned', () => {
    const example = chatExample(tokenizer, talk, long)
    consistent(example)
    expect(whole(example)).toBe(tokenizer.renderChat(talk, false))
    expect(learned(example)).toBe('4<|im_end|>6<|im_end|>')
    expect(learned(chatExample(plain, talk, long))).toBe('4<|endoftext|>6<|endoftext|>')
  })
  test('a template that rewrites earlier answers: the last one is learned', () => {
    const rewriting = loadTokenizer(json, {
      ...config,
      chat_template:
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' and not loop.last %}...{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    })
    expect(learned(chatExample(rewriting, talk, long))).toBe('6<|im_end|>')
  })
  test('a conversation without an answer teaches nothing', () => {
    expect(chatExample(tokenizer, talk.slice(0, 2), long)).toMatchObject({
      trained: 0,
      problem: expect.any(String) as string,
    })
  })
  test('messages in a cell: OpenAI, ShareGPT, parts; or what is wrong', () => {
    expect(
      parseMessages(
        '[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"}]}]',
      ),
    ).toEqual([
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ])
    expect(
      parseMessages('{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]}'),
    ).toEqual([
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ])
    for (const cell of ['', 'x', '[]', '{}', '[1]', '[{"content":"a"}]', '[{"role":"user"}]'])
      expect(() => parseMessages(cell)).toThrow(expect.objectContaining({ code: 'E_DATASET' }))
  })
})

describe('rows of a dataset', () => {
  test('by the names of the task', () => {
    const complete = languageExamples(
      { task: 'complete', columns: { prompt: 'mr', completion: 'ref' }, separator: '\n' },
      ['ref', 'mr'],
      tokenizer,
      long,
    )
    expect(whole(complete(['out', 'in']))).toBe('in\nout<|endoftext|>')
    const chat = languageExamples({ task: 'chat', columns: { messages: 'm' } }, ['m'], tokenizer, long)
    expect(chat(['nonsense'])).toMatchObject({
      trained: 0,
      problem: expect.stringContaining('not JSON') as string,
    })
    const classify = classifyExamples(
      { task: 'classify', columns: { text: 't', label: 'l' } },
      ['t', 'l'],
      ['a'],
      tokenizer,
      long,
    )
    expect(classify(['x', ' a '])).toMatchObject({ label: 0 })
  })
  test('a column that is not there is said', () => {
    const make = (task: TaskConfig) => () => languageExamples(task, ['a'], tokenizer, long)
    expect(make({ task: 'complete', columns: { text: 'b' } })).toThrow(/no column "b"/)
    expect(make({ task: 'instruct', columns: { prompt: 'a' } })).toThrow(
      /Choose the column that holds the completion/,
    )
  })
  test('prompts of the other tasks', () => {
    expect(renderPrompt(null, tokenizer, 'Once').ids).toEqual(ids('Once'))
    expect(renderPrompt({ task: 'complete', columns: { text: 't' } }, withSpecials, 'Once').ids).toEqual([
      1,
      ...ids('Once'),
    ])
    expect(
      renderPrompt(
        { task: 'complete', columns: { prompt: 'p', completion: 'c' }, separator: '\n' },
        tokenizer,
        'a',
      ).text,
    ).toBe('a\n')
    expect(renderPrompt(null, tokenizer, [{ role: 'user', content: 'Hi' }]).text).toBe(
      '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n',
    )
  })
})
