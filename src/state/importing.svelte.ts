// Files on their way in: Graft looks at their beginning. What it is sure of becomes a dataset at once; for the rest the
// person sees a preview, corrects the guesses, and imports.
import type { GraftApi } from '../protocol/api.ts'
import { SURE, type Copied, type ImportOptions, type Preview } from '../protocol/bringIn.ts'
import type { Dataset } from '../protocol/data.ts'
import { asGraftError } from '../protocol/errors.ts'
import { readClipboard } from './clipboard.ts'
import type { Datasets } from './datasets.svelte.ts'

/** Milliseconds without a change before the preview is made anew. */
const PAUSE = 150
/** Files that become a dataset without a question where nothing is in doubt. */
const PLAIN = ['csv', 'json', 'jsonl', 'parquet']

/** Whether nothing of the guesses needs a person. */
export function isSure({ format, files, guarded, quote, confidence }: Preview): boolean {
  return (
    files === 1 &&
    PLAIN.includes(format) &&
    !guarded &&
    quote !== "'" &&
    Object.values(confidence).every((each) => each >= SURE)
  )
}

export class Importing {
  /** What is being looked at; empty when nothing is. */
  files = $state.raw<File[]>([])
  /** The dataset that gets the rows; null for a new one. */
  target = $state.raw<Dataset | null>(null)
  preview = $state.raw<Preview | null>(null)
  /** What the person chose; the rest is guessed. */
  options = $state.raw<ImportOptions>({})
  /** Several files become several datasets. */
  apart = $state(false)
  looking = $state(false)
  /** Why the files cannot be read with these settings. */
  problem = $state<string | null>(null)
  /** The files of the newest dataset, so that it can be read differently. */
  last = $state.raw<{ dataset: string; files: File[] } | null>(null)
  readonly #api: GraftApi
  readonly #datasets: Datasets
  #replaces: string | null = null
  #abort = new AbortController()

  constructor(api: GraftApi, datasets: Datasets) {
    this.#api = api
    this.#datasets = datasets
  }

  get open(): boolean {
    return this.files.length > 0
  }

  /** Takes files that were dropped, chosen or pasted. The new dataset, or null where a person is asked first. */
  async offer(
    files: File[],
    {
      target = null,
      ask = false,
      options = {},
    }: { target?: Dataset | null; ask?: boolean; options?: ImportOptions } = {},
  ) {
    let preview: Preview
    try {
      preview = await this.#api.datasets.preview(files, { ...options, ...(target && { target: target.id }) })
    } catch {
      // The import says what is wrong, and a single file has no settings that would help.
      if (files.length === 1 && !target) return this.#import(files, options)
      this.#show(files, target)
      this.options = options
      await this.#look()
      return null
    }
    if (!ask && !target && isSure(preview)) return this.#import(files, preview.options)
    this.#show(files, target)
    this.options = options
    this.preview = preview
    return null
  }

  /** Shows what was copied, to be imported. Throws E_NOT_A_TABLE where that is nothing. */
  async paste(copied: Copied, target: Dataset | null = null): Promise<void> {
    const file = await this.#api.datasets.pasted(copied)
    const cells = file.type === 'text/tab-separated-values'
    const options: ImportOptions = { origin: 'clipboard', ...(cells && { delimiter: '\t' }) }
    await this.offer([file], { ask: true, target, options })
  }

  /** Shows what the browser's clipboard holds, which it may refuse to tell. Throws E_ARGUMENT then, and E_NOT_A_TABLE. */
  async pasteClipboard(target: Dataset | null = null): Promise<void> {
    await this.paste(await readClipboard(), target)
  }

  /** Opens the files of a dataset again; the new one takes its place. */
  async again(dataset: Dataset): Promise<void> {
    const { last } = this
    if (last?.dataset !== dataset.id) return
    const options: ImportOptions = dataset.origin ? { origin: dataset.origin } : {}
    await this.offer(last.files, { ask: true, options })
    this.#replaces = dataset.id
  }

  /** Changes settings; what is undefined is guessed again. */
  set(changes: { [K in keyof ImportOptions]?: ImportOptions[K] | undefined }): void {
    const options = Object.fromEntries(
      Object.entries({ ...this.options, ...changes }).filter(([, value]) => value !== undefined),
    )
    this.options = options
    void this.#look()
  }

  /** Imports what is shown; the new or longer dataset, or null where it did not come to that. */
  async import(): Promise<Dataset | null> {
    const { files, target } = this
    const options = { ...this.preview?.options, ...this.options }
    const replaces = this.#replaces
    if (target) {
      const grown = await this.#datasets.append(target.id, files, options)
      if (grown) this.close()
      return grown ?? null
    }
    if (this.apart) {
      let newest: Dataset | null = null
      const { union: _union, name: _name, ...each } = this.options
      for (const file of files) newest = (await this.#import([file], each)) ?? newest
      if (newest) this.close()
      return newest
    }
    const dataset = await this.#import(files, options)
    if (!dataset) return null
    this.close()
    if (replaces) await this.#datasets.remove(replaces)
    return dataset
  }

  close(): void {
    this.#abort.abort()
    this.files = []
    this.target = null
    this.preview = null
    this.problem = null
    this.looking = false
    this.#replaces = null
  }

  #show(files: File[], target: Dataset | null): void {
    this.close()
    this.files = files
    this.target = target
    this.options = {}
    this.apart = false
  }

  async #import(files: File[], options: ImportOptions): Promise<Dataset | null> {
    const dataset = await this.#datasets.import(files, options)
    if (!dataset) return null
    this.last = { dataset: dataset.id, files }
    return dataset
  }

  /** Reads the beginning anew; of changes in quick succession only the last one counts. */
  async #look(): Promise<void> {
    this.#abort.abort()
    const { signal } = (this.#abort = new AbortController())
    this.looking = true
    await new Promise((done) => setTimeout(done, PAUSE))
    if (signal.aborted) return
    try {
      const target = this.target && { target: this.target.id }
      const preview = await this.#api.datasets.preview(this.files, { ...this.options, ...target, signal })
      if (signal.aborted) return
      this.preview = preview
      this.problem = null
    } catch (thrown) {
      if (signal.aborted) return
      this.problem = asGraftError(thrown).message
    }
    this.looking = false
  }
}
