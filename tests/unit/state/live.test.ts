// Asking at each key, on an API that is as slow as the test says: one question at a time, the newest wins.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { GraftError } from '../../../src/protocol/errors.ts'
import { Live } from '../../../src/state/live.svelte.ts'
import { askLive, type LiveApi, type LiveQuestion } from '../../../src/views/explain/liveAnswer.ts'

/** Answers after `ms`; a stopped call ends after `stopping` more, as a pass on a device does. */
function slow({ ms = 100, stopping = 20, fail = (_: string): boolean => false } = {}) {
  const log = { asked: [] as string[], running: 0, most: 0 }
  const live = new Live<string, string>(async (question, signal) => {
    log.asked.push(question)
    log.running++
    log.most = Math.max(log.most, log.running)
    try {
      await new Promise<void>((done, stop) => {
        const timer = setTimeout(done, ms)
        signal.addEventListener('abort', () => {
          clearTimeout(timer)
          setTimeout(() => stop(new GraftError('E_ABORTED', 'Cancelled.')), stopping)
        })
      })
      if (fail(question)) throw new GraftError('E_LIMIT', `${question} is too long.`)
      return question.toUpperCase()
    } finally {
      log.running--
    }
  })
  return { live, log }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('answers the first key at once, and waits afterwards as long as an answer took', async () => {
  const { live, log } = slow({ ms: 300 })
  live.put('a')
  expect(live.busy).toBe(true)
  await vi.advanceTimersByTimeAsync(299)
  expect(live.answer).toBeNull()
  await vi.advanceTimersByTimeAsync(1)
  expect(live.answer).toEqual({ to: 'a', is: 'A' })
  expect(live.busy).toBe(false)
  expect(live.wait).toBe(300)
  live.put('ab')
  await vi.advanceTimersByTimeAsync(200)
  live.put('abc')
  await vi.advanceTimersByTimeAsync(299)
  expect(log.asked).toEqual(['a'])
  // What was answered stays in sight until there is a newer answer.
  expect(live.answer?.is).toBe('A')
  await vi.advanceTimersByTimeAsync(1)
  expect(log.asked).toEqual(['a', 'abc'])
  await vi.advanceTimersByTimeAsync(300)
  expect(live.answer?.is).toBe('ABC')
})

it('never asks twice at a time, skips what is out of date, and ends with the newest', async () => {
  const { live, log } = slow({ ms: 500, stopping: 80 })
  // Slow device, quick typist: a key each 30 ms. Each stops the one before, which takes a while to end.
  const text = 'the quick brown fox'
  for (let end = 1; end <= text.length; end++) {
    live.put(text.slice(0, end))
    await vi.advanceTimersByTimeAsync(30)
  }
  await vi.advanceTimersByTimeAsync(5000)
  expect(log.most).toBe(1)
  expect(live.answer).toEqual({ to: text, is: text.toUpperCase() })
  expect(log.asked.at(-1)).toBe(text)
  expect(log.asked.length).toBeLessThan(text.length / 2)
  expect(live.busy).toBe(false)
})

it('does not show an answer that was overtaken, nor one after it was stopped', async () => {
  const { live, log } = slow({ stopping: 0 })
  const shown: unknown[] = []
  live.put('a')
  await vi.advanceTimersByTimeAsync(99)
  live.put('ab')
  for (let i = 0; i < 60; i++) {
    await vi.advanceTimersByTimeAsync(10)
    if (live.answer) shown.push(live.answer.is)
  }
  expect(new Set(shown)).toEqual(new Set(['AB']))
  live.put('abc')
  await vi.advanceTimersByTimeAsync(150)
  live.stop()
  await vi.advanceTimersByTimeAsync(5000)
  expect([live.answer, live.busy, live.error, log.running]).toEqual([null, false, null, 0])
})

it('keeps errors to itself until typing stops, and forgets them with the next key', async () => {
  const { live } = slow({ ms: 50, fail: (question) => question.endsWith('!') })
  live.put('a!')
  await vi.advanceTimersByTimeAsync(800)
  expect(live.error).toBeNull()
  live.put('a!!')
  await vi.advanceTimersByTimeAsync(899)
  expect(live.error).toBeNull()
  await vi.advanceTimersByTimeAsync(1)
  expect(live.error).toMatchObject({ code: 'E_LIMIT', message: 'a!! is too long.' })
  expect(live.busy).toBe(false)
  live.put('a')
  expect(live.error).toBeNull()
  await vi.advanceTimersByTimeAsync(2000)
  expect(live.answer?.is).toBe('A')
})

it('waits at most a second, however slow the device is', async () => {
  const { live } = slow({ ms: 30_000 })
  live.put('a')
  await vi.advanceTimersByTimeAsync(30_000)
  expect(live.wait).toBe(1000)
})

it('asks of a classifier its labels, of a model that writes its next tokens, of an encoder its hidden word', async () => {
  vi.useRealTimers()
  const calls: [string, unknown][] = []
  const api = {
    tokenize: async (_: string, text: string) => ({ ids: text === '' ? [1] : [1, 42, 43], tokens: [] }),
    predict: async () => [{ label: 'b', scores: { a: 0.1, b: 0.6, c: 0.05, d: 0.05, e: 0.2 } }],
    explain: {
      saliency: async (_: unknown, request: unknown) => {
        calls.push(['saliency', request])
        return { tokens: ['x'], scores: Float32Array.of(1), output: { position: 3 } }
      },
      logitLens: async (_: unknown, request: unknown) => {
        calls.push(['logitLens', request])
        const names = Array.from({ length: 12 }, (_, i) => `t${i}`)
        return { layers: 2, topNames: names, topProbabilities: Float64Array.from(names, (_, i) => i / 100) }
      },
    },
  } as unknown as LiveApi
  const ask = (classify: boolean, asChat: boolean, output: string) =>
    askLive(
      api,
      {
        of: { target: { model: 'm' }, classify, baseId: 'm' } as LiveQuestion['of'],
        text: 'hello',
        asChat,
        output,
        contrast: '',
      },
      new AbortController().signal,
    )
  expect((await ask(true, false, 'b')).likely).toEqual([
    { name: 'b', share: 0.6 },
    { name: 'e', share: 0.2 },
    { name: 'a', share: 0.1 },
    { name: 'c', share: 0.05 },
  ])
  expect((await ask(false, true, ' word')).likely).toEqual([
    { name: 't8', share: 0.08 },
    { name: 't9', share: 0.09 },
    { name: 't10', share: 0.1 },
    { name: 't11', share: 0.11 },
  ])
  const messages = [{ role: 'user', content: 'hello' }]
  expect(calls).toEqual([
    ['saliency', { text: 'hello', output: 'b', method: 'gradientXInput' }],
    ['saliency', { messages, output: 42, method: 'gradientXInput' }],
    ['logitLens', { messages, positions: [3], k: 4 }],
  ])
  const stopped = new AbortController()
  stopped.abort()
  const question = { of: { classify: true }, text: '', asChat: false, output: '', contrast: '' } as unknown
  await expect(askLive(api, question as LiveQuestion, stopped.signal)).rejects.toThrow()
})
