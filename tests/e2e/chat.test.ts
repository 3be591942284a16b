// Conversations from a JSON Lines file to answers: what is trained is shown, learnt, and asked for in the same template.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadBase, openBases } from './support/bases.ts'
import type { Site } from './support/site.ts'

let site: Site
beforeAll(async () => {
  site = await openBases()
})
afterAll(async () => {
  await site?.close()
})

type Talk = readonly (readonly ['system' | 'user' | 'assistant', string])[]
const messagesOf = (talk: Talk) => talk.map(([role, content]) => ({ role, content }))

/** Ends with the question: nobody answers it. */
const UNANSWERED = { messages: [{ role: 'user', content: 'Hello?' }] }

it.each([
  [
    'tiny-llama',
    // The template ends an answer in "<|im_end|>\n", of which the line end is not learnt.
    { user: '<|im_start|>user\n', end: '<|im_end|>' },
    (i: number): Talk => [
      ['system', 'Be brief.'],
      ['user', `How are you, ${i}?`],
      ['assistant', `Fine ${i}`],
      ['user', 'And now?'],
      ['assistant', 'Good.'],
    ],
  ],
  [
    'tiny-gemma3',
    { user: '<start_of_turn>user\n', end: '<end_of_turn>' },
    (i: number): Talk => [
      ['user', 'a t'.repeat((i % 2) + 1)],
      ['assistant', 'so'],
      ['user', 'is'],
      ['assistant', 'it'],
    ],
  ],
] as const)('a chat with %s', async (name, template, talk) => {
  const talks = Array.from({ length: 6 }, (_, i) => messagesOf(talk(i)))
  const jsonl = [...talks.map((messages) => ({ messages })), UNANSWERED]
    .map((row) => JSON.stringify(row))
    .join('\n')
  const { page } = site
  const { id: model, hasChatTemplate } = await loadBase(page, name)
  expect(hasChatTemplate).toBe(true)
  const seen = await page.evaluate(
    async ([model, jsonl, messages]) => {
      const { datasets, runs, generate } = window.graft
      const dataset = await datasets.import(new File([jsonl], 'talks.jsonl'))
      const { id } = dataset
      await datasets.configure(id, dataset.suggestion!)
      await datasets.split(id, { train: 1, validation: 0, test: 0, seed: 1 })
      const query = { model, offset: 0, limit: 7 }
      const all = await datasets.render(id, query)
      const last = await datasets.render(id, { ...query, config: { ...dataset.suggestion!, turns: 'last' } })
      const request = {
        dataset: id,
        model,
        adapter: { r: 4, alpha: 16 },
        training: { steps: 3, batchSize: 6, maxLength: 64, learningRate: 2e-2, warmup: 0 },
      }
      const plan = await runs.plan(request)
      const run = await runs.wait(await runs.start(request))
      const asked = { messages, maxTokens: 5, temperature: 0 }
      return {
        suggestion: dataset.suggestion,
        format: dataset.format,
        all,
        last,
        plan,
        run,
        answer: await generate({ run: run.id }, asked),
        again: await generate({ run: run.id }, asked),
        base: await generate({ model }, asked),
      }
    },
    [model, jsonl, talks[2]!.slice(0, -3)] as const,
  )
  expect(seen.format).toBe('jsonl')
  expect(seen.suggestion).toMatchObject({ task: 'chat', columns: { messages: 'messages' } })
  const learnt = ({ pieces }: (typeof seen.all)[number]) =>
    pieces.filter(({ trained }) => trained).map(({ text }) => text)
  const joined = (row: (typeof seen.all)[number]) => learnt(row).join('')
  const [row] = seen.all
  expect(row!.problem).toBeNull()
  expect(row!.truncated).toBe(false)
  const answers = talks[0]!.filter(({ role }) => role === 'assistant').map(({ content }) => content)
  expect(joined(row!)).toBe(answers.map((answer) => answer + template.end).join(''))
  expect(joined(seen.last[0]!)).toBe(answers.at(-1)! + template.end)
  const question = talks[0]!.find(({ role }) => role === 'user')!.content
  expect(row!.pieces.map(({ text }) => text).join('')).toContain(template.user + question + template.end)
  expect(row!.pieces.filter(({ text, special }) => special && text === template.end)).toHaveLength(
    talks[0]!.length,
  )
  expect(seen.all[0]!.trainedTokens).toBeGreaterThan(seen.last[0]!.trainedTokens)
  expect(row!.trainedTokens).toBeLessThan(row!.tokens)
  expect(seen.all[6]).toMatchObject({
    index: 6,
    trainedTokens: 0,
    problem: expect.stringContaining('assistant'),
  })
  expect(seen.plan.unlabelled).toMatchObject({ count: 1, rows: [6] })

  expect(seen.run.error).toBeNull()
  expect(seen.run.history).toHaveLength(3)
  expect(seen.run.history[2]!.loss).toBeLessThan(seen.run.history[0]!.loss)
  expect(seen.answer.tokens.length).toBeGreaterThan(0)
  expect(seen.answer.tokens).toEqual(seen.again.tokens)
  expect(['end', 'length']).toContain(seen.answer.stopReason)
  expect(seen.base.tokens.length).toBeGreaterThan(0)
  expect(site.errors).toEqual([])
})
