// The Hub's client against a server that answers like the Hub: what it asks, what it believes, and how it goes on after
// every fault of fault list 18 and 19.
import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { GraftError } from '../../../src/protocol/errors.ts'
import { HubClient, type HubCall } from '../../../workers/engine/hub/client.ts'
import { fetchConfig, fetchRepositoryFiles, HubRepository } from '../../../workers/engine/hub/repository.ts'
import { startHub, type Fault, type TestHub } from '../../support/hub.ts'

const ID = 'tester/tiny'
const large = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 31 + (i >> 8)) & 255)
const config = new TextEncoder().encode('{"model_type":"llama"}')

let hub: TestHub
let waits: number[]
let client: HubClient
beforeEach(async () => {
  hub = await startHub()
  hub.models.set(ID, {
    files: new Map([
      ['config.json', config],
      ['model.safetensors', large],
    ]),
    licence: 'apache-2.0',
  })
  waits = []
  client = new HubClient({ endpoint: hub.endpoint, wait, rangeBytes: 40_000, stallMs: 5000 })
})
afterEach(() => hub.close())

const wait = (milliseconds: number): Promise<void> => {
  waits.push(milliseconds)
  return Promise.resolve()
}
const repository = (call: HubCall = {}) => HubRepository.open(client, ID, 'main', call)
const fault = (path: RegExp, does: Fault['does'], times?: number) =>
  hub.faults.push({ path, does, ...(times !== undefined && { times }) })
async function readLarge(call: HubCall = {}): Promise<Uint8Array> {
  const opened = await repository(call)
  return opened.read(opened.find('model.safetensors')!, call.signal)
}
async function failureOf(work: Promise<unknown>): Promise<GraftError> {
  const thrown = await work.then(
    () => 'nothing',
    (error: unknown) => error,
  )
  expect(thrown).toBeInstanceOf(GraftError)
  return thrown as GraftError
}
const storageRanges = () => hub.seen.filter(({ host }) => host === 'storage').map(({ range }) => range)

describe('what it asks', () => {
  test('a branch becomes a commit, and every file is asked of that commit', async () => {
    const opened = await repository()
    expect(opened.commit).toEqual({ sha: hub.sha(ID), gated: false, licence: 'apache-2.0' })
    expect(await opened.read(opened.find('config.json')!)).toEqual(config)
    const paths = hub.seen.map(({ path }) => path)
    expect(paths).toEqual([
      `/api/models/${ID}/revision/main`,
      `/api/models/${ID}/tree/${hub.sha(ID)}?recursive=false`,
      `/${ID}/resolve/${hub.sha(ID)}/config.json`,
    ])
  })

  test('sizes and published checksums: SHA-256 of large files, Git names of small ones', async () => {
    const opened = await repository()
    const sha256 = createHash('sha256').update(large).digest('hex')
    expect(opened.find('model.safetensors')).toEqual({
      path: 'model.safetensors',
      bytes: 100_000,
      checksum: { algorithm: 'sha256', hex: sha256 },
    })
    // git hash-object of these bytes.
    const hex = createHash('sha1').update(`blob ${config.length}\0`).update(config).digest('hex')
    expect(opened.find('config.json')!.checksum).toEqual({ algorithm: 'git', hex })
  })

  test('a file list in pages', async () => {
    hub.pageSize = 1
    hub.models.get(ID)!.files.set('README.md', new Uint8Array(3))
    expect((await repository()).names).toEqual(['config.json', 'model.safetensors', 'README.md'])
  })

  test('a next page on another host is not followed', async () => {
    const other = await startHub()
    fault(/tree/, { status: 200, headers: { link: `<${other.endpoint}/x>; rel="next"` } })
    await expect(repository({ token: hub.token })).rejects.toMatchObject({ code: 'E_NETWORK' })
    expect(other.seen).toEqual([])
    await other.close()
  })

  test('a large file comes by ranges from the other origin', async () => {
    expect(await readLarge()).toEqual(large)
    expect(storageRanges()).toEqual(['bytes=0-39999', 'bytes=40000-79999', 'bytes=80000-99999'])
  })

  test('a part of a file', async () => {
    const opened = await repository()
    const part = await opened.range(opened.find('model.safetensors')!, 8, 30)
    expect(part).toEqual(large.slice(8, 30))
    expect(storageRanges()).toEqual(['bytes=8-29'])
  })

  test('a server without ranges is read from the beginning', async () => {
    fault(/Signature|\/model\.safetensors/, { ignoreRange: true })
    expect(await readLarge()).toEqual(large)
  })

  test.each(['../etc', 'a/b/c', 'a b', '', 'owner/..', 'https://x'])('"%s" is no id', async (id) => {
    await expect(client.commit(id, 'main')).rejects.toMatchObject({ code: 'E_ARGUMENT' })
    expect(hub.seen).toEqual([])
  })
})

describe('faults that pass', () => {
  test('cut connections: it goes on from the byte reached', async () => {
    fault(/^\/tester\/tiny\/[0-9a-f]{40}\/model/, { cutAfter: 15_000 }, 2)
    expect(await readLarge()).toEqual(large)
    expect(storageRanges().slice(0, 3)).toEqual(['bytes=0-39999', 'bytes=15000-54999', 'bytes=30000-69999'])
    expect(waits).toEqual([1000, 2000])
  })

  test('a body that ends early counts as cut', async () => {
    fault(/^\/tester\/tiny\/[0-9a-f]{40}\/model/, { shortBy: 10_000 }, 1)
    expect(await readLarge()).toEqual(large)
    expect(storageRanges()[1]).toBe('bytes=30000-69999')
  })

  test('a connection that falls silent', async () => {
    client = new HubClient({ endpoint: hub.endpoint, wait, stallMs: 100 })
    fault(/^\/tester\/tiny\/[0-9a-f]{40}\/model/, { stall: true }, 1)
    expect(await readLarge()).toEqual(large)
  })

  test('429 waits as long as asked, in seconds, as a date, or by RateLimit', async () => {
    const headers = (value: string) => ({ status: 429, headers: { 'retry-after': value } })
    fault(/revision/, headers('7'), 1)
    fault(/tree/, headers(new Date(Date.now() + 30_000).toUTCString()), 1)
    fault(/resolve/, { status: 429, headers: { ratelimit: '"resolvers";r=0;t=12' } }, 1)
    expect(await readLarge()).toEqual(large)
    expect(waits[0]).toBe(7000)
    expect(Math.abs(waits[1]! - 30_000)).toBeLessThan(3000)
    expect(waits[2]).toBe(12_000)
  })

  test.each([500, 502, 503])('%i passes', async (status) => {
    fault(/.*/, { status }, 2)
    expect(await readLarge()).toEqual(large)
    expect(waits).toEqual([1000, 2000])
  })
})

describe('faults that stay', () => {
  const of = (status: number, file: string) => ({ status, file, host: new URL(hub.endpoint).host })

  test('cut again and again: says how far it came', async () => {
    fault(/^\/tester\/tiny\/[0-9a-f]{40}\/model/, { cutAfter: 1000 })
    const error = await failureOf(readLarge())
    expect(error).toMatchObject({ code: 'E_NETWORK', details: { file: 'model.safetensors', at: 5000 } })
    expect(error.message).toContain('cut after 5000 bytes')
  })

  test('a gated model without a token, with a wrong one, and with the right one', async () => {
    hub.models.get(ID)!.gated = true
    const without = await failureOf(readLarge())
    expect(without).toMatchObject({
      code: 'E_NETWORK',
      details: { ...of(401, 'model.safetensors'), gated: true },
    })
    expect(without.message).toContain(`Accept its licence at ${hub.endpoint}/${ID}`)
    const wrong = await failureOf(readLarge({ token: 'hf_wrong_one' }))
    expect(wrong.details).toMatchObject({ status: 403, gated: true })
    expect(JSON.stringify([wrong.message, wrong.details, String(wrong.cause), wrong.stack])).not.toContain(
      'hf_wrong',
    )
    expect(await readLarge({ token: hub.token })).toEqual(large)
    expect(waits).toEqual([])
  })

  test('the token goes to the endpoint only, and with this call only', async () => {
    await readLarge({ token: hub.token })
    const sent = hub.seen.map(({ host, authorization }) => [host, authorization !== undefined])
    expect(sent.filter(([host]) => host === 'hub').every(([, token]) => token)).toBe(true)
    expect(sent.filter(([host]) => host === 'storage')).toEqual(Array(3).fill(['storage', false]))
    hub.seen.length = 0
    await readLarge()
    expect(hub.seen.every(({ authorization }) => authorization === undefined)).toBe(true)
  })

  test('a token that is none is not quoted', async () => {
    const error = await failureOf(readLarge({ token: 'geheim\nX: y' }))
    expect(error.code).toBe('E_ARGUMENT')
    expect(error.message).not.toContain('geheim')
    expect(hub.seen).toEqual([])
  })

  test('401 for what is private or not there, 404 for a revision', async () => {
    const unknown = await failureOf(client.commit('tester/none', 'main'))
    expect(unknown).toMatchObject({ code: 'E_NETWORK', details: { status: 401, gated: false } })
    expect(unknown.message).toContain('no public model of this name')
    const revision = await failureOf(client.commit(ID, 'v9'))
    expect(revision.details).toMatchObject({ status: 404 })
    expect(revision.message).toContain('no such revision')
    expect(waits).toEqual([])
  })

  test('429 that asks for an hour is told at once', async () => {
    fault(/.*/, { status: 429, headers: { 'retry-after': '3600' } })
    const error = await failureOf(readLarge())
    expect(error).toMatchObject({ code: 'E_NETWORK', details: { status: 429, retryAfter: 3600 } })
    expect(error.message).toContain('Wait 3600 s')
    expect(waits).toEqual([])
  })

  test('500 that stays', async () => {
    fault(/revision/, { status: 500 })
    expect(await failureOf(repository())).toMatchObject({ details: { status: 500 } })
    expect(waits).toEqual([1000, 2000])
    hub.faults.length = waits.length = 0
    fault(/resolve/, { status: 500 })
    expect(await failureOf(readLarge())).toMatchObject({ details: { status: 500 } })
    expect(waits).toEqual([1000, 2000, 4000, 8000])
  })

  test.each([/revision/, /tree/, /^\/tester\/tiny\/[0-9a-f]{40}\/model/])(
    'a page as 200 at %s',
    async (path) => {
      fault(path, { html: true })
      const error = await failureOf(readLarge())
      expect(error).toMatchObject({ code: 'E_NETWORK', details: { status: 200 } })
      expect(error.message).toContain('web page')
    },
  )

  test('JSON of another kind', async () => {
    fault(/revision/, { status: 200 })
    await expect(repository()).rejects.toMatchObject({ code: 'E_NETWORK' })
  })

  test('a redirect to a host that is blocked names both hosts', async () => {
    const port = await closedPort()
    fault(/resolve/, { redirect: `http://127.0.0.1:${port}/file` })
    const error = await failureOf(readLarge())
    expect(error).toMatchObject({ code: 'E_NETWORK', details: { redirect: `127.0.0.1:${port}` } })
    expect(error.message).toContain(new URL(hub.endpoint).host)
    expect(error.message).toContain(`127.0.0.1:${port}`)
    expect(waits).toEqual([1000])
  })

  test('a host that does not answer at all', async () => {
    client = new HubClient({ endpoint: `http://127.0.0.1:${await closedPort()}`, wait })
    const error = await failureOf(repository())
    expect(error.code).toBe('E_NETWORK')
    expect(error.message).toContain('cannot be reached')
    expect(waits).toEqual([1000, 2000])
  })

  test('wrong bytes and wrong lengths are E_HASH, naming the file', async () => {
    fault(/^\/tester\/tiny\/[0-9a-f]{40}\/model/, { corrupt: true }, 1)
    expect(await failureOf(readLarge())).toMatchObject({
      code: 'E_HASH',
      details: { name: 'model.safetensors' },
    })
    fault(/^\/tester\/tiny\/[0-9a-f]{40}\/model/, { longerBy: 7 }, 1)
    expect(await failureOf(readLarge())).toMatchObject({
      code: 'E_HASH',
      details: { file: 'model.safetensors' },
    })
    fault(/resolve.*config/, { corrupt: true })
    const opened = await repository()
    const small = opened.find('config.json')!
    expect(await failureOf(opened.read(small))).toMatchObject({
      code: 'E_HASH',
      details: { name: 'config.json' },
    })
  })

  test('an abort ends it at once, also while it waits', async () => {
    client = new HubClient({ endpoint: hub.endpoint })
    const abort = new AbortController()
    fault(/resolve/, { status: 503, headers: { 'retry-after': '60' } })
    const reading = failureOf(readLarge({ signal: abort.signal }))
    setTimeout(() => abort.abort(), 50)
    expect((await reading).code).toBe('E_ABORTED')
  })
})

describe('some files of a repository', () => {
  const files = (names: { required: string[]; optional?: string[] }, options = {}) =>
    fetchRepositoryFiles({ hub: ID }, names, { client, ...options })

  test('come in memory, of one commit; optional ones where they are', async () => {
    const found = await files({ required: ['config.json', 'model.safetensors'], optional: ['README.md'] })
    expect(found.revision).toBe(hub.sha(ID))
    expect([...found.files.keys()]).toEqual(['config.json', 'model.safetensors'])
    expect(found.files.get('model.safetensors')).toEqual(large)
  })

  test('a missing one is named, too many bytes are refused before they come', async () => {
    await expect(files({ required: ['adapter_config.json'] })).rejects.toMatchObject({
      code: 'E_MODEL_FILES',
      details: { file: 'adapter_config.json' },
    })
    await expect(files({ required: ['model.safetensors'] }, { maxBytes: 99_999 })).rejects.toMatchObject({
      code: 'E_LIMIT',
    })
    expect(hub.seen.filter(({ path }) => path.includes('resolve'))).toEqual([])
  })

  test('a config alone', async () => {
    const found = await fetchConfig({ hub: ID }, {}, client)
    expect(found).toEqual({ config: { model_type: 'llama' }, revision: hub.sha(ID) })
  })
})

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server: Server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
