// The recipe of one dataset as it is worked on: every change is applied at once, so that its counts are true, and can be taken
// back.
import { sayReport, sayStep, sayWeight, sayWeighed } from '../data/recipe/say.ts'
import type { GraftApi } from '../protocol/api.ts'
import { asGraftError, GraftError } from '../protocol/errors.ts'
import {
  TRAINING_STEPS,
  type Recipe,
  type RecipeState,
  type RecipeStep,
  type StepReport,
} from '../protocol/recipe.ts'
import type { Work } from './work.svelte.ts'

export const words = (step: RecipeStep): string => sayStep(step)
export const weightWord = sayWeight
export const weighedWords = sayWeighed
export const countsOf = (report: StepReport | null): string => sayReport(report)
export const isForTraining = (step: RecipeStep): boolean => TRAINING_STEPS.has(step.kind)

export interface Foreign {
  name: string
  rows: number
  /** Steps that name rows by their number, counted from 1: in another source those are other rows. */
  byNumber: number[]
}

/** What a recipe was made for, where that is another source than the dataset's. */
export function foreignTo({ source, steps }: Recipe, now: RecipeState | null): Foreign | null {
  if (!source || source.sha256 === now?.recipe.source?.sha256) return null
  const byNumber = steps.flatMap(({ kind, enabled = true }, index) =>
    enabled && (kind === 'dropRows' || kind === 'edit') ? [index + 1] : [],
  )
  return { name: source.name, rows: source.rows, byNumber }
}

export class RecipeEditor {
  state = $state.raw<RecipeState | null>(null)
  /** Why the latest change was not made; `details.step` tells which step is at fault. */
  error = $state.raw<GraftError | null>(null)
  /** What the recipe that was taken over was made for, where that is another source than this one. */
  foreign = $state.raw<Foreign | null>(null)
  readonly #api: GraftApi
  readonly #work: Work
  readonly #dataset: string

  constructor(api: GraftApi, work: Work, dataset: string) {
    this.#api = api
    this.#work = work
    this.#dataset = dataset
  }

  get steps(): readonly RecipeStep[] {
    return this.state?.recipe.steps ?? []
  }

  get job() {
    return this.#work.of('recipe')
  }

  async load(): Promise<void> {
    try {
      this.state = await this.#api.datasets.recipe(this.#dataset)
    } catch (thrown) {
      this.error = asGraftError(thrown)
    }
  }

  /** True when the change was made. */
  apply(recipe: RecipeStep[] | Recipe): Promise<boolean> {
    return this.#change('Applying the recipe', (options) =>
      this.#api.datasets.apply(this.#dataset, recipe, options),
    )
  }

  undo(): Promise<boolean> {
    return this.#change('Taking the change back', (options) =>
      this.#api.datasets.undo(this.#dataset, options),
    )
  }

  add(step: RecipeStep): Promise<boolean> {
    return this.apply([...this.steps, step])
  }

  replace(index: number, step: RecipeStep): Promise<boolean> {
    return this.apply(this.steps.with(index, step))
  }

  remove(index: number): Promise<boolean> {
    return this.apply(this.steps.toSpliced(index, 1))
  }

  /** Moves a step to another place. */
  move(from: number, to: number): Promise<boolean> {
    if (from === to || to < 0 || to >= this.steps.length) return Promise.resolve(false)
    return this.apply(this.steps.toSpliced(from, 1).toSpliced(to, 0, this.steps[from]!))
  }

  toggle(index: number): Promise<boolean> {
    const step = this.steps[index]!
    return this.replace(index, { ...step, enabled: step.enabled === false })
  }

  /** Takes over a recipe from its JSON; a file that is none is an error like any other. */
  async take(file: File): Promise<boolean> {
    let recipe: Recipe
    try {
      recipe = JSON.parse(await file.text()) as Recipe
    } catch {
      this.error = new GraftError(
        'E_FORMAT',
        `${file.name} is no recipe: it is not JSON. Choose a recipe that was exported here, such as recipe.json.`,
      )
      return false
    }
    const done = await this.apply(recipe)
    if (done) this.foreign = foreignTo(recipe, this.state)
    return done
  }

  async #change(
    title: string,
    call: (options: Parameters<Parameters<Work['run']>[2]>[0]) => Promise<unknown>,
  ): Promise<boolean> {
    this.error = null
    this.foreign = null
    const made = await this.#work.run('recipe', title, call, undefined, (error) => {
      if (error.code !== 'E_ABORTED') this.error = error
    })
    if (made === undefined) return false
    await this.load()
    return true
  }
}
