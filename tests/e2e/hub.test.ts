// Bases from the Hub in the built site, under its real policy: Chromium is told that huggingface.co and *.hf.co are a
// server of this test, so addresses, redirects, preflights and tokens are those that people's browsers see.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openSite } from '../../tools/browser.mjs'
import { decode, GOLDENS, modelBytes, relativeError } from '../golden/load.ts'
import { chromiumFlags, startHub, type TestHub } from '../support/hub.ts'
import { go, type Site } from './support/site.ts'

const ID = 'tester/tiny'
const tiny = modelBytes('tiny-llama')
const weights = tiny.get('model.safetensors')!

let hub: TestHub
let site: Site
beforeAll(async () => {
  hub = await startHub({
    https: true,
    hubOrigin: 'https://huggingface.co',
    storageOrigin: 'https://cas-bridge.xethub.hf.co',
  })
  site = await openSite({ gpu: false, flags: chromiumFlags(hub) })
})
afterAll(async () => {
  await site?.close()
  await hub?.close()
})
beforeEach(() => {
  hub.models.set(ID, { files: new Map(tiny), licence: 'mit' })
})
afterEach(async () => {
  hub.faults.length = 0
  hub.seen.length = 0
  await site.page.evaluate(async () => {
    for (const { id } of await window.graft.models.list())
      if (id.startsWith('hub/')) await window.graft.models.remove(id)
  })
})

interface Outcome {
  info?: { id: string; stored: boolean; licence?: string; source: unknown }
  error?: { code: string; message: string; details: Record<string, unknown> }
}
/** Loads the model in the page; what comes of it. */
function load(token?: string): Promise<Outcome> {
  return site.page.evaluate(
    async ([hub, token]) => {
      try {
        return { info: await window.graft.models.load({ hub: hub! }, token ? { token } : {}) }
      } catch (thrown) {
        const { code, message, details } = thrown as NonNullable<Outcome['error']>
        return { error: { code, message, details } }
      }
    },
    [ID, token] as const,
  )
}
const storageRanges = () => hub.seen.filter(({ host }) => host === 'storage').map(({ range }) => range)

describe('bases from the Hub in Chromium', () => {
  it('follows the redirect to another origin, by ranges, and has the logits of PyTorch', async () => {
    const { info, error } = await load()
    expect(error).toBeUndefined()
    expect(info).toMatchObject({ stored: true, licence: 'mit', source: { hub: ID, revision: hub.sha(ID) } })
    expect(storageRanges().slice(0, 2)).toEqual(['bytes=0-7', expect.stringMatching(/^bytes=8-\d+$/)])
    const golden = GOLDENS['tiny-llama'].base.sequences[0]!
    const logits = await site.page.evaluate(
      async ([model, ids]) => Array.from((await window.graft.logits({ model }, { ids })).logits),
      [info!.id, golden.ids] as const,
    )
    expect(relativeError(logits, decode(golden.logits))).toBeLessThan(1e-4)
    // From now on it needs no network, in another precision either, and stays one model.
    hub.seen.length = 0
    expect((await load()).info).toMatchObject({ id: info!.id })
    const { page } = site
    await go(page, 'Model')
    await page.getByText('tiny is loaded.').waitFor()
    await page.getByRole('radio', { name: /^int8/ }).check()
    await page.getByRole('button', { name: 'Load again in int8', exact: true }).click()
    const ofHub = async () =>
      (await page.evaluate(() => window.graft.models.list()))
        .filter(({ id }) => id.startsWith('hub/'))
        .map(({ id, precision }) => ({ id, precision }))
    await expect.poll(ofHub, { timeout: 20_000 }).toEqual([{ id: info!.id, precision: 'int8' }])
    expect(hub.seen).toEqual([])
  })

  it('goes on after a cut, and after a reload', async () => {
    const whole = ({ range }: { range: string | undefined }) =>
      !range || range.endsWith(`-${weights.length - 1}`)
    const path = /^\/tester\/tiny\/[0-9a-f]{40}\//
    hub.faults.push({ path, when: whole, times: 1, does: { cutAfter: 40_000 } })
    expect((await load()).info).toMatchObject({ stored: true })
    expect(storageRanges().at(-1)).toBe(`bytes=40000-${weights.length - 1}`)
    await site.page.evaluate((id) => window.graft.models.remove(`hub/${id}@main`), ID)

    hub.faults.push({ path, when: whole, times: 1, does: { cutAfter: 60_000 } })
    hub.faults.push({ path, when: whole, does: { status: 404 } })
    expect((await load()).error).toMatchObject({ code: 'E_NETWORK', details: { status: 404 } })
    await site.page.reload()
    await site.page.evaluate(() => window.graft.ready)
    hub.faults.length = 0
    hub.seen.length = 0
    expect((await load()).info).toMatchObject({ stored: true })
    expect(storageRanges().at(-1)).toBe(`bytes=60000-${weights.length - 1}`)
  })

  it('a gated model: says what to do, loads with a token, and keeps the token nowhere', async () => {
    hub.models.get(ID)!.gated = true
    const { error } = await load()
    expect(error).toMatchObject({ code: 'E_NETWORK', details: { status: 401, gated: true } })
    expect(error!.message).toContain(`https://huggingface.co/${ID}`)
    const { info } = await load(hub.token)
    expect(info).toMatchObject({ stored: true })
    // The token went to the Hub, and not on to where the Hub redirects.
    const withToken = hub.seen.filter(({ authorization }) => authorization !== undefined)
    expect(withToken.length).toBeGreaterThan(3)
    expect(new Set(withToken.map(({ host }) => host))).toEqual(new Set(['hub']))
    const kept = await site.page.evaluate(everythingKept)
    expect(kept.length).toBeGreaterThan(weights.length)
    expect(kept).toContain(hub.sha(ID))
    expect(kept).not.toContain(hub.token)
  })

  it('a page in its place, and a redirect to a host that the policy forbids', async () => {
    hub.faults.push({ path: /revision/, does: { html: true } })
    expect((await load()).error).toMatchObject({
      code: 'E_NETWORK',
      details: { status: 200, host: 'huggingface.co' },
    })
    hub.faults.length = 0
    const path = /resolve.*model\.safetensors/
    hub.faults.push({ path, does: { redirect: 'https://elsewhere.example/model.safetensors' } })
    const { error } = await load()
    expect(error).toMatchObject({
      code: 'E_NETWORK',
      details: { host: 'huggingface.co', file: 'model.safetensors' },
    })
    expect(error!.message).toContain('sends the download of model.safetensors on to')
  })

  it('searches', async () => {
    hub.searchResults = [{ id: ID, config: { model_type: 'llama' }, gated: false, downloads: 1 }]
    const found = await site.page.evaluate(() => window.graft.models.search('tiny'))
    expect(found).toMatchObject([{ id: ID, family: 'llama', unsupported: null }])
  })
})

/** All of IndexedDB, Web Storage and the caches, as text. Runs in the page. */
async function everythingKept(): Promise<string> {
  const found: string[] = [JSON.stringify({ ...localStorage, ...sessionStorage })]
  const done = <T>(request: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error!)
    })
  const text = (_key: string, value: unknown): unknown =>
    value instanceof Uint8Array ? new TextDecoder('latin1').decode(value) : value
  for (const { name } of await indexedDB.databases()) {
    const database = await done(indexedDB.open(name!))
    for (const table of database.objectStoreNames) {
      const rows = await done<unknown[]>(database.transaction(table).objectStore(table).getAll())
      found.push(JSON.stringify(rows, text))
    }
    database.close()
  }
  for (const name of await caches.keys())
    for (const request of await (await caches.open(name)).keys()) found.push(request.url)
  return found.join('\n')
}
