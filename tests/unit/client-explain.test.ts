// What graft.explain makes of a script's call before the engine has it: where the request and the call's options may stand,
// and what is refused without a worker.
import { expect, it, vi } from 'vitest'
import { createGraft } from '../../src/client/api.ts'
import { EXPLAIN_METHODS } from '../../src/protocol/explain.ts'
import type { FromWorker, ToWorker } from '../../src/protocol/rpc.ts'

/** A worker that answers explanations with what it was asked, after one report of progress. */
class Echo {
  onmessage: ((event: { data: FromWorker<never> }) => void) | null = null
  readonly heard: ToWorker[] = []
  postMessage(message: ToWorker) {
    this.heard.push(structuredClone(message))
    if (message.type !== 'call') return
    const { id, args } = message
    const progress = { label: 'Asking', done: 1, total: 2, unit: 'items' } as const
    queueMicrotask(() => {
      this.onmessage?.({ data: { type: 'progress', id, progress } })
      this.onmessage?.({ data: { type: 'result', id, value: args } })
    })
  }
}

function graft() {
  const engine = new Echo()
  const spawn = (worker: Echo) => () => worker as unknown as Worker
  return { engine, graft: createGraft({ engine: spawn(engine), data: spawn(new Echo()) }) }
}
const target = { run: 'r' }

it('takes progress and signal beside the request or in it, and no request where all settings have defaults', async () => {
  const { graft: page, engine } = graft()
  const request = { text: 'a', samples: 20 }
  for (const ask of [
    (onProgress: () => void) => page.explain.lime(target, request, { onProgress }),
    (onProgress: () => void) => page.explain.lime(target, { ...request, onProgress }),
  ]) {
    const onProgress = vi.fn()
    expect(await ask(onProgress)).toEqual({ target, request })
    expect(onProgress).toHaveBeenCalledTimes(1)
  }
  expect(await page.explain.film(target)).toEqual({ target, request: {} })
  expect(await page.explain.cartography(target)).toEqual({ target, request: {} })

  const controller = new AbortController()
  const asked = page.explain.anchors(target, { text: 'a', signal: controller.signal })
  controller.abort()
  // The engine has answered nevertheless.
  await expect(asked).rejects.toMatchObject({ code: 'E_ABORTED' })
  expect(engine.heard.at(-1)).toMatchObject({ type: 'abort' })
})

it('hands on every other request as it is, for the engine to refuse', async () => {
  const { graft: page } = graft()
  for (const method of EXPLAIN_METHODS)
    for (const request of [null, 5, 'text', ['text']])
      expect(await page.explain[method](target, request as never)).toEqual({ target, request })
})

it('refuses options that are none with a code', async () => {
  const { graft: page, engine } = graft()
  const before = engine.heard.length
  for (const options of [{ signal: 5 }, { signal: null }, { onProgress: 'loudly' }])
    await expect(
      page.explain.saliency(target, { text: 'a' }, options as unknown as object),
    ).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  expect(engine.heard).toHaveLength(before)
})
