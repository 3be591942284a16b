// Health reports of datasets while the page is open: made on request, kept until the data changes, mended by the recipe.
import { SvelteMap, SvelteSet } from 'svelte/reactivity'
import { sayWeight } from '../data/recipe/say.ts'
import type { GraftApi } from '../protocol/api.ts'
import type { Dataset } from '../protocol/data.ts'
import { GROUPS } from '../data/health/lexicon.ts'
import type { DemographicGroup, HealthOptions, HealthReport, Remedy } from '../protocol/health.ts'
import type { Notices } from './notices.svelte.ts'
import type { Work } from './work.svelte.ts'

/** A report that took less is made again after each remedy. */
const QUICK_SECONDS = 4

interface Kept {
  report: HealthReport
  /** The data has changed since the report was made. */
  stale: boolean
}

/** What a report depends on; a new name or suggestion changes nothing of it. */
const signature = ({ rows, version, edits, split, config }: Dataset & { edits?: unknown }): string =>
  JSON.stringify([rows, version, edits, split, config])

export class Health {
  /** The groups of people whose mentions are counted unless a person writes others. */
  readonly lexicon: readonly DemographicGroup[] = GROUPS
  options = $state.raw<HealthOptions>({})
  /** Findings that are open, so that a person who comes back from a row finds them so. */
  readonly opened = new SvelteSet<string>()
  /** Dataset that is being looked at or mended. */
  running = $state<string | null>(null)
  readonly #kept = new SvelteMap<string, Kept>()
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- only compared with
  readonly #signatures = new Map<string, string>()
  readonly #api: GraftApi
  readonly #work: Work
  readonly #notices: Notices

  constructor(api: GraftApi, work: Work, notices: Notices) {
    this.#api = api
    this.#work = work
    this.#notices = notices
    api.datasets.subscribe((event) => {
      if (event.type === 'dataset') this.#changed(event.dataset)
      else if (event.type === 'datasetRemoved') this.#kept.delete(event.id)
    })
  }

  of(dataset: string): Kept | undefined {
    return this.#kept.get(dataset)
  }

  /** Makes the report of a dataset; the one before it stays until it is there. */
  async look(dataset: Dataset): Promise<void> {
    this.running = dataset.id
    const before = signature(dataset)
    const report = await this.#work.run('health', `Looking at ${dataset.name}`, (call) =>
      this.#api.datasets.health(dataset.id, this.options, call),
    )
    this.running = null
    if (!report) return
    this.#signatures.set(dataset.id, before)
    this.#kept.set(dataset.id, { report, stale: false })
  }

  /** Adds the steps of a remedy to the recipe. True when they were applied. */
  async mend(dataset: Dataset, remedy: Remedy): Promise<boolean> {
    this.running = dataset.id
    const done = await this.#work.run('health', `Mending: ${remedy.label}`, async (call) => {
      const { recipe } = await this.#api.datasets.recipe(dataset.id)
      return this.#api.datasets.apply(dataset.id, [...recipe.steps, ...remedy.steps], call)
    })
    this.running = null
    if (!done) return false
    const count = (number: number): string => number.toLocaleString('en')
    const fewer = dataset.rows - done.rows
    const what =
      fewer > 0
        ? `${count(fewer)} rows fewer`
        : fewer < 0
          ? `${count(-fewer)} rows more`
          : done.version?.weights
            ? `as many rows as before, with weights from ${sayWeight(done.version.weights.least)} to ${sayWeight(done.version.weights.most)}`
            : 'as many rows as before'
    this.#notices.done(remedy.label, `${what}; a step of the recipe now.`, {
      label: 'Undo',
      run: () =>
        void this.#api.datasets.undo(dataset.id).then(
          (undone) => this.#lookQuickly(undone),
          (thrown: unknown) => this.#notices.fail('Undo', thrown),
        ),
    })
    await this.#lookQuickly(done)
    return true
  }

  /** A quick report is made again at once; after a slow one the page says that the data has changed. */
  async #lookQuickly(dataset: Dataset): Promise<void> {
    const kept = this.#kept.get(dataset.id)
    if (kept && kept.report.seconds < QUICK_SECONDS) await this.look(dataset)
  }

  #changed(dataset: Dataset): void {
    const kept = this.#kept.get(dataset.id)
    if (kept && !kept.stale && this.#signatures.get(dataset.id) !== signature(dataset))
      this.#kept.set(dataset.id, { ...kept, stale: true })
  }
}
