// Recipes that come from files: what is no recipe is said to be none, and one that was made for another source says so.
import { expect, it } from 'vitest'
import type { GraftApi } from '../../../src/protocol/api.ts'
import type { Recipe, RecipeState } from '../../../src/protocol/recipe.ts'
import { RecipeEditor } from '../../../src/state/recipe.svelte.ts'
import type { Work } from '../../../src/state/work.svelte.ts'

const here = { name: 'here.csv', sha256: 'aa', rows: 20 }
const recipe = (source: Recipe['source'], steps: Recipe['steps'] = []): Recipe => ({
  version: 1,
  seed: 42,
  steps,
  ...(source && { source }),
})
const fileOf = (content: unknown) =>
  new File([typeof content === 'string' ? content : JSON.stringify(content)], 'recipe.json')

function editorOf() {
  const applied: unknown[] = []
  const state = { recipe: recipe(here, [{ kind: 'stripHtml' }]), reports: [] } as unknown as RecipeState
  const api = {
    datasets: {
      recipe: () => Promise.resolve(state),
      apply: (_id: string, given: unknown) => Promise.resolve(applied.push(given)),
    },
  } as unknown as GraftApi
  const work = {
    run: (_key: string, _title: string, call: (options: object) => unknown) => call({}),
  } as unknown as Work
  return { editor: new RecipeEditor(api, work, 'id'), applied }
}

it('a file that is no JSON is no recipe, and says what to choose', async () => {
  const { editor, applied } = editorOf()
  expect(await editor.take(fileOf('text,label\nx,y\n'))).toBe(false)
  expect(editor.error).toMatchObject({ code: 'E_FORMAT' })
  expect(editor.error!.message).toMatch(/recipe\.json is no recipe.*Choose/)
  expect(applied).toEqual([])
})

it('a recipe of the same source is taken without a word', async () => {
  const { editor, applied } = editorOf()
  expect(await editor.take(fileOf(recipe(here)))).toBe(true)
  expect([editor.foreign, applied.length]).toEqual([null, 1])
})

it('a recipe of another source names it, and the steps that name rows', async () => {
  const { editor } = editorOf()
  const steps: Recipe['steps'] = [
    { kind: 'stripHtml' },
    { kind: 'dropRows', rows: [3] },
    { kind: 'edit', edits: [], enabled: false },
  ]
  await editor.take(fileOf(recipe({ name: 'there.csv', sha256: 'bb', rows: 7 }, steps)))
  expect(editor.foreign).toEqual({ name: 'there.csv', rows: 7, byNumber: [2] })
  // With the next change it has been read.
  await editor.toggle(0)
  expect(editor.foreign).toBeNull()
})
