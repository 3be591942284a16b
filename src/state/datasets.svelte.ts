// The datasets of this browser, and what can be done with them.
import type { GraftApi } from '../protocol/api.ts'
import type { ImportOptions } from '../protocol/bringIn.ts'
import type { Dataset, SplitConfig, TaskConfig } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import type { Notices } from './notices.svelte.ts'
import { SAMPLES, type Sample } from './samples.ts'
import type { Selection } from './selection.svelte.ts'
import type { Work } from './work.svelte.ts'

export class Datasets {
  items = $state.raw<Dataset[]>([])
  loaded = $state(false)
  readonly #api: GraftApi
  readonly #work: Work
  readonly #notices: Notices
  readonly #selection: Selection

  constructor(api: GraftApi, work: Work, notices: Notices, selection: Selection) {
    this.#api = api
    this.#work = work
    this.#notices = notices
    this.#selection = selection
    api.datasets.subscribe((event) => {
      if (event.type === 'dataset') this.#put(event.dataset)
      else if (event.type === 'datasetRemoved') this.#drop(event.id)
    })
  }

  get(id: string | null): Dataset | undefined {
    return this.items.find((dataset) => dataset.id === id)
  }

  /** The dataset that training uses unless told otherwise: the last one chosen, else the newest one that is ready. */
  get current(): Dataset | undefined {
    return this.get(this.#selection.dataset) ?? this.items.find((dataset) => dataset.config) ?? this.items[0]
  }

  async refresh(): Promise<void> {
    const list = await this.#api.datasets.list()
    this.items = list.toSorted((a, b) => b.createdAt - a.createdAt)
    this.loaded = true
  }

  /** Files become one dataset; undefined where that was cancelled or failed, which is said then. */
  async import(files: File[], settings: ImportOptions = {}): Promise<Dataset | undefined> {
    const name = settings.name ?? (files.length === 1 ? files[0]!.name : `${files.length} files`)
    const dataset = await this.#work.run('import', `Importing ${name}`, (options) =>
      this.#api.datasets.import(files, { ...settings, ...options }),
    )
    if (!dataset) return undefined
    this.#put(dataset)
    this.#selection.dataset = dataset.id
    return dataset
  }

  /** Adds the rows of files; undefined where that was cancelled or failed, which is said then. */
  async append(id: string, files: File[], settings: ImportOptions = {}): Promise<Dataset | undefined> {
    const title = `Adding rows to ${this.get(id)?.name ?? 'the dataset'}`
    const dataset = await this.#work.run('import', title, (options) =>
      this.#api.datasets.append(id, files, { ...settings, ...options }),
    )
    if (!dataset) return undefined
    const { added, ...grown } = dataset
    this.#put(grown)
    if (added.labels.length > 0)
      this.#notices.done(
        `${added.labels.length === 1 ? 'A label is' : `${added.labels.length} labels are`} new`,
        `${added.labels.slice(0, 5).join(', ')}${added.labels.length > 5 ? ' and others' : ''}. Runs that were trained before do not know ${added.labels.length === 1 ? 'it' : 'them'}.`,
      )
    return grown
  }

  /** Fetches a sample of this site and imports it like any dropped file. */
  async useSample(id: Sample['id']): Promise<Dataset | undefined> {
    const sample = SAMPLES.find((other) => other.id === id)!
    try {
      const response = await fetch(`${import.meta.env.BASE_URL}samples/${sample.file}`)
      if (!response.ok)
        throw new GraftError(
          'E_NETWORK',
          `The sample ${sample.file} answered ${response.status}. Reload the page and try again.`,
        )
      const file = new File([await response.blob()], sample.file, { type: 'text/csv' })
      return await this.import([file])
    } catch (thrown) {
      this.#notices.fail(`Loading the sample "${sample.title}"`, thrown)
      return undefined
    }
  }

  /** Confirms how rows become examples and how they are divided; null leaves the parts as they are. True when accepted. */
  async use(id: string, config: TaskConfig, split: SplitConfig | null): Promise<boolean> {
    try {
      this.#put(await this.#api.datasets.configure(id, config))
      if (split) this.#put(await this.#api.datasets.split(id, split))
      this.#selection.dataset = id
      return true
    } catch (thrown) {
      this.#notices.fail('The choice was not accepted', thrown)
      return false
    }
  }

  async remove(id: string): Promise<boolean> {
    try {
      await this.#api.datasets.remove(id)
      this.#drop(id)
      return true
    } catch (thrown) {
      this.#notices.fail('The dataset could not be removed', thrown)
      return false
    }
  }

  #put(dataset: Dataset): void {
    const at = this.items.findIndex((other) => other.id === dataset.id)
    this.items = at < 0 ? [dataset, ...this.items] : this.items.with(at, dataset)
  }

  #drop(id: string): void {
    this.items = this.items.filter((dataset) => dataset.id !== id)
    if (this.#selection.dataset === id) this.#selection.dataset = null
  }
}
