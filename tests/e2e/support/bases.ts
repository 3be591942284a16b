// Bases and adapters of tests/golden in the page: files to drop, a tokenizer in which every token is a word, so that the
// ids of a golden can be written as text, and what the page holds.
import { expect } from 'vitest'
import type { Page } from 'playwright'
import type { ModelInfo, Precision } from '../../../src/protocol/model.ts'
import type { Target } from '../../../src/protocol/target.ts'
import { openSite } from '../../../tools/browser.mjs'
import { adapterFiles, modelBytes, variantFiles, type FamilyName } from '../../golden/load.ts'
import type { Site } from './site.ts'

/** A file on its way into the page. */
export type Content = { name: string; base64: string }
type Bytes = ReadonlyMap<string, Uint8Array>

/** What came of a call that may be refused. */
export interface Outcome<T> {
  value?: T
  error?: { code: string; message: string; details: Record<string, unknown> }
}

declare global {
  interface Window {
    asFiles(contents: Content[]): File[]
    asBase64(blob: Blob): Promise<string>
    attempt<T>(work: Promise<T>): Promise<Outcome<T>>
  }
}

/** The Hub is not there, whatever network the machine has. */
const OFFLINE = ['--host-resolver-rules=MAP huggingface.co ~NOTFOUND']

/** The site on wasm or, with `gpu`, on WebGPU, with the functions above in its page. */
export async function openBases({ gpu = false } = {}): Promise<Site> {
  const site = await openSite({ gpu, flags: OFFLINE })
  await site.page.context().addInitScript(install)
  await site.page.evaluate(install)
  return site
}

/** Runs in the page. */
function install(): void {
  window.asFiles = (contents) =>
    contents.map(
      ({ name, base64 }) => new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name),
    )
  window.asBase64 = (blob) =>
    new Promise((resolve, reject) => {
      const reader = new FileReader()
      reader.onload = () => resolve((reader.result as string).replace(/^[^,]*,/, ''))
      reader.onerror = () => reject(reader.error!)
      reader.readAsDataURL(blob)
    })
  window.attempt = (work) =>
    work.then(
      (value) => ({ value }),
      ({ code, message, details }: NonNullable<Outcome<never>['error']>) => ({
        error: { code, message, details },
      }),
    )
}

export const contents = (bytes: Bytes): Content[] =>
  [...bytes].map(([name, content]) => ({ name, base64: Buffer.from(content).toString('base64') }))

export const unpacked = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))

async function bytesOf(files: File[]): Promise<Map<string, Uint8Array>> {
  const read = files.map(async (file) => [file.name, new Uint8Array(await file.arrayBuffer())] as const)
  return new Map(await Promise.all(read))
}

/** An adapter as peft wrote it: of a family and its task, or of a variant's folder. */
export const peftBytes = (
  ...of: [FamilyName, 'causal' | 'classify'] | [string]
): Promise<Map<string, Uint8Array>> =>
  bytesOf(of.length === 2 ? adapterFiles(of[0], of[1]) : variantFiles(of[0]))

/** The text whose tokens, in the tokenizer of `wordyBytes`, are these ids. */
export const words = (ids: readonly number[]): string => ids.map((id) => `t${id}`).join(' ')

/** A base whose tokenizer reads "t17" as token 17 and puts nothing around a text. */
export function wordyBytes(name: FamilyName): Bytes {
  const files = modelBytes(name)
  const json = (file: string) =>
    JSON.parse(new TextDecoder().decode(files.get(file))) as Record<string, unknown>
  const vocab = Object.fromEntries(
    Array.from({ length: json('config.json')['vocab_size'] as number }, (_, id) => [`t${id}`, id]),
  )
  const tokenizer = {
    version: '1.0',
    added_tokens: json('tokenizer.json')['added_tokens'],
    normalizer: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab, unk_token: 't0' },
  }
  return new Map(files).set('tokenizer.json', new TextEncoder().encode(JSON.stringify(tokenizer)))
}

/** Loads a base from files; its id is new every time. */
export function loadBytes(page: Page, bytes: Bytes, precision?: Precision): Promise<ModelInfo> {
  return page.evaluate(
    ([files, precision]) =>
      window.graft.models.load({ files: window.asFiles(files) }, precision ? { precision } : {}),
    [contents(bytes), precision] as const,
  )
}

export const loadBase = (page: Page, name: FamilyName, precision?: Precision): Promise<ModelInfo> =>
  loadBytes(page, modelBytes(name), precision)

export function logitsOf(page: Page, target: Target, ids: readonly number[]): Promise<number[]> {
  return page.evaluate(
    async ([target, ids]) => Array.from((await window.graft.logits(target, { ids: [...ids] })).logits),
    [target, ids] as const,
  )
}

export function importBytes(
  page: Page,
  model: string,
  bytes: Bytes,
  options: { name?: string; labels?: string[] } = {},
) {
  return page.evaluate(
    ([model, files, options]) =>
      window.attempt(window.graft.adapters.import(model, { files: window.asFiles(files) }, options)),
    [model, contents(bytes), options] as const,
  )
}

/** A table of texts as a dataset whose rows are all for training, in their order. */
export async function trainingRows(
  page: Page,
  rows: Record<string, string>[],
  task: 'classify' | 'complete',
): Promise<string> {
  const columns = Object.keys(rows[0]!)
  const csv = [columns, ...rows.map((row) => columns.map((column) => row[column]!))]
    .map((cells) => cells.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(','))
    .join('\n')
  return page.evaluate(
    async ([csv, columns, task]) => {
      const { id } = await window.graft.datasets.import(new File([csv], 'rows.csv'), { header: true })
      await window.graft.datasets.configure(id, {
        task,
        columns: Object.fromEntries(columns.map((column) => [column, column])),
        ...(task === 'complete' && { separator: ' ' }),
      })
      const split = { train: 1, validation: 0, test: 0, seed: 1 }
      return (await window.graft.datasets.split(id, split)).id
    },
    [csv, columns, task] as const,
  )
}

/** How many records each table of the page's databases has. */
export function kept(page: Page): Promise<Record<string, number>> {
  return page.evaluate(async () => {
    const done = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error!)
      })
    const counts: Record<string, number> = {}
    for (const { name } of await indexedDB.databases()) {
      const database = await done(indexedDB.open(name!))
      for (const table of database.objectStoreNames)
        counts[`${name}/${table}`] = await done(database.transaction(table).objectStore(table).count())
      database.close()
    }
    return counts
  })
}

/** A refusal with a code and a sentence that says enough to act on. */
export function expectRefusal(outcome: Outcome<unknown>, code: RegExp, says: RegExp): void {
  expect(outcome.value).toBeUndefined()
  expect(outcome.error!.code).toMatch(code)
  expect(outcome.error!.message).toMatch(says)
  expect(outcome.error!.message.length).toBeGreaterThan(20)
}
