// Recipes come from scripts and files: every member is looked at before a step runs, and a fault names the step and the member.
import { GraftError } from '../../protocol/errors.ts'
import {
  AUGMENTATIONS,
  PERSONAL_KINDS,
  RECIPE_VERSION,
  type Recipe,
  type RecipeStep,
  type StepKind,
} from '../../protocol/recipe.ts'
import {
  either,
  faultOf,
  flag,
  isRecord,
  listOf,
  maybe,
  name,
  names,
  oneOf,
  text,
  within,
  type Check,
} from '../checks.ts'
import { words } from '../health/words.ts'
import { LEAST_WEIGHT, MOST_WEIGHT } from './weigh.ts'

/** Steps of a recipe; each walks the rows. */
export const STEPS_LIMIT = 100
export const DEFAULT_SEED = 42

const pairsOfWeights: Check = (value) => {
  if (!Array.isArray(value) || value.length === 0) return 'must be a list of pairs such as ["rare", 3]'
  const wrong = (value as unknown[]).find(
    (pair) =>
      !Array.isArray(pair) ||
      pair.length !== 2 ||
      text(pair[0]) !== null ||
      within(LEAST_WEIGHT, MOST_WEIGHT)(pair[1]) !== null,
  )
  if (wrong === undefined) return null
  const range = `a number from ${LEAST_WEIGHT} to ${MOST_WEIGHT.toLocaleString('en')}`
  return Array.isArray(wrong) && wrong.length === 2
    ? `gives "${String(wrong[0])}" the weight "${String(wrong[1])}", which must be ${range}`
    : `must be a list of pairs of a value and ${range}`
}
const rowId = within(0, 0xfffffffe, true)
const replacement: Check = (value) =>
  isRecord(value) && typeof value.value === 'string' ? null : 'must be { value: "..." }'

const phrase: Check = (value) => (typeof value === 'string' && words(value).length > 0 ? null : '')

const columns = maybe(names)
const different: Check = (value) =>
  names(value) ??
  (new Set(value as string[]).size === (value as string[]).length ? null : 'must name each column once')
const keep = maybe(oneOf('first', 'last', 'longest'))

/** The members of each step. */
const MEMBERS: {
  [K in StepKind]: Record<Exclude<keyof Extract<RecipeStep, { kind: K }>, 'kind' | 'enabled' | 'note'>, Check>
} = {
  normalise: {
    columns,
    form: maybe(oneOf('NFC', 'NFKC')),
    space: maybe(oneOf('trim', 'collapse')),
    quotes: maybe(flag),
    case: maybe(oneOf('lower', 'upper')),
    controls: maybe(flag),
  },
  stripHtml: { columns },
  fixMojibake: { columns },
  dropMissing: { columns, when: maybe(oneOf('any', 'all')) },
  fillMissing: { columns: names, with: either(oneOf('mode'), replacement) },
  dedupeExact: { columns, keep, ignoreCase: maybe(flag) },
  dedupeNear: {
    columns,
    threshold: maybe(within(0.5, 1)),
    shingle: maybe(within(1, 20, true)),
    keep,
  },
  resolveConflicts: { columns: names, label: name, how: oneOf('majority', 'drop', 'first') },
  mapLabels: {
    column: name,
    map: listOf('pairs of texts', (pair) =>
      Array.isArray(pair) && pair.length === 2 ? (text(pair[0]) ?? text(pair[1])) : '',
    ),
    others: maybe(either(oneOf('keep', 'drop'), replacement)),
  },
  filter: { where: text },
  redact: {
    columns,
    kinds: maybe(
      listOf(`kinds of personal data (${PERSONAL_KINDS.join(', ')})`, oneOf(...PERSONAL_KINDS), 1),
    ),
  },
  rebalance: {
    column: name,
    method: oneOf('over', 'under'),
    to: maybe(within(1, 10_000_000, true)),
    most: maybe(within(1, 1000, true)),
    shares: maybe(
      listOf(
        'pairs of a value and its share above 0',
        (pair) =>
          Array.isArray(pair) &&
          pair.length === 2 &&
          text(pair[0]) === null &&
          typeof pair[1] === 'number' &&
          pair[1] > 0 &&
          pair[1] < Infinity
            ? null
            : '',
        1,
      ),
    ),
  },
  replaceWords: {
    columns,
    words: listOf('words or phrases, each with a letter or a digit in it', phrase, 1),
    with: maybe(text),
  },
  weigh: {
    column: name,
    by: oneOf('balanced', 'value', 'number'),
    weights: maybe(pairsOfWeights),
  },
  derive: { column: name, template: text },
  truncate: {
    columns,
    unit: oneOf('characters', 'words'),
    limit: within(1, 10_000_000, true),
    keep: maybe(oneOf('start', 'end')),
  },
  columns: { columns: different, how: oneOf('keep', 'drop') },
  dropRows: { rows: listOf('row ids', rowId), made: maybe(listOf('keys of added rows', text)) },
  edit: {
    edits: listOf('edits { row, column, value }', (edit) =>
      isRecord(edit) ? (rowId(edit.row) ?? name(edit.column) ?? text(edit.value)) : '',
    ),
  },
  augment: {
    method: oneOf(...AUGMENTATIONS),
    column: name,
    copies: maybe(within(1, 20, true)),
    strength: maybe(within(0.01, 0.5)),
    where: maybe(text),
    templates: maybe(
      listOf(
        'texts with {text} in them',
        (one) => (typeof one === 'string' && one.includes('{text}') ? null : ''),
        1,
      ),
    ),
    length: maybe((value) =>
      Array.isArray(value) &&
      value.length === 2 &&
      within(0, 1)(value[0]) === null &&
      within(1, 100)(value[1]) === null
        ? null
        : 'must be two numbers, the first from 0 to 1 and the second from 1 to 100',
    ),
  },
  addRows: {
    columns: names,
    rows: listOf('rows, each a list of cells', listOf('cells', text)),
    origin: maybe(text),
  },
}

/** A recipe from its JSON, or from a list of steps. Throws E_ARGUMENT, naming the step and what is wrong with it. */
export function checkRecipe(given: unknown): Recipe {
  if (Array.isArray(given))
    return { version: RECIPE_VERSION, seed: DEFAULT_SEED, steps: given.map(checkStep) }
  if (!isRecord(given) || !Array.isArray(given.steps))
    throw new GraftError(
      'E_ARGUMENT',
      'A recipe is a list of steps, or an object with version, seed and steps.',
    )
  if (given.version !== RECIPE_VERSION)
    throw new GraftError(
      'E_ARGUMENT',
      `This recipe has version ${String(given.version)}; this Graft reads version ${RECIPE_VERSION}.`,
    )
  const seed = given.seed ?? DEFAULT_SEED
  const wrong = within(0, 0xffffffff, true)(seed)
  if (wrong) throw new GraftError('E_ARGUMENT', `The recipe's seed ${wrong}.`)
  const { source } = given
  return {
    version: RECIPE_VERSION,
    seed: seed as number,
    steps: given.steps.map(checkStep),
    ...(isSource(source) && { source: { name: source.name, sha256: source.sha256, rows: source.rows } }),
  }
}

function checkStep(given: unknown, index: number, all: readonly unknown[]): RecipeStep {
  const wrong = (what: string): GraftError =>
    new GraftError('E_ARGUMENT', `Step ${index + 1} of the recipe: ${what}.`, { step: index })
  if (all.length > STEPS_LIMIT) throw wrong(`a recipe has at most ${STEPS_LIMIT} steps`)
  if (!isRecord(given)) throw wrong('it must be an object such as { kind: "dedupeExact" }')
  const kind = given.kind as StepKind
  if (typeof kind !== 'string' || !Object.hasOwn(MEMBERS, kind))
    throw wrong(`there is no kind "${String(given.kind)}". There are ${Object.keys(MEMBERS).join(', ')}`)
  const members: Record<string, Check> = { ...MEMBERS[kind], enabled: maybe(flag), note: maybe(text) }
  const { kind: _, ...settings } = given
  const fault = faultOf(kind, settings, members)
  if (fault !== null) throw wrong(fault)
  // What is undefined says nothing, and would be lost in JSON.
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return structuredClone(stated) as unknown as RecipeStep
}

function isSource(value: unknown): value is NonNullable<Recipe['source']> {
  return (
    isRecord(value) && text(value.name) === null && text(value.sha256) === null && rowId(value.rows) === null
  )
}
