// Long calls in flight: each has a title, progress with time left, and can be cancelled from wherever it is shown.
import { asGraftError, type GraftError } from '../protocol/errors.ts'
import type { CallOptions, Progress } from '../protocol/progress.ts'
import type { Notices } from './notices.svelte.ts'

export type JobKind =
  | 'import'
  | 'health'
  | 'model'
  | 'adapter'
  | 'precision'
  | 'plan'
  | 'evaluate'
  | 'explain'
  | 'generate'
  | 'predict'
  | 'export'
  | 'recipe'
  | 'split'
  | 'takeOut'
  | 'write'

export class Job {
  readonly id: number
  readonly kind: JobKind
  readonly title: string
  progress = $state.raw<Progress | null>(null)
  readonly #controller = new AbortController()

  constructor(id: number, kind: JobKind, title: string) {
    this.id = id
    this.kind = kind
    this.title = title
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Share done from 0 to 1, or null while the end is unknown. */
  get share(): number | null {
    const progress = this.progress
    return progress?.total ? Math.min(1, progress.done / progress.total) : null
  }

  cancel(): void {
    this.#controller.abort()
  }
}

export class Work {
  jobs = $state.raw<Job[]>([])
  /** Called after every job: the engine may have loaded a base by itself. */
  afterJob: (kind: JobKind) => void = () => undefined
  readonly #notices: Notices
  #next = 1

  constructor(notices: Notices) {
    this.#notices = notices
  }

  of(kind: JobKind): Job | undefined {
    return this.jobs.find((job) => job.kind === kind)
  }

  /**
   * Runs a long call as a job. The result, or undefined when it was cancelled or failed; a failure is shown as a notice.
   * @param onProgress what the caller does with progress besides showing it (streamed text)
   * @param onFail takes a failure, or a cancellation, in place of the notice
   */
  async run<T>(
    kind: JobKind,
    title: string,
    call: (options: Required<CallOptions>) => Promise<T>,
    onProgress?: (progress: Progress) => void,
    onFail?: (error: GraftError, job: Job) => void,
  ): Promise<T | undefined> {
    const job = new Job(this.#next++, kind, title)
    this.jobs = [...this.jobs, job]
    try {
      return await call({
        signal: job.signal,
        onProgress: (progress) => {
          job.progress = progress
          onProgress?.(progress)
        },
      })
    } catch (thrown) {
      if (onFail) onFail(asGraftError(thrown), job)
      else if (!job.signal.aborted) this.#notices.fail(title, thrown)
      return undefined
    } finally {
      this.jobs = this.jobs.filter((other) => other !== job)
      this.afterJob(kind)
    }
  }
}
