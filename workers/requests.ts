// What a script may ask of datasets, call by call: names and types of the settings. A setting that is misspelt would be left
// out in silence, and a value of another type fails somewhere deep inside; both are named here, before anything is done.
// Ranges, and whether columns are there, are the business of whoever uses them.
import { either, faultOf, flag, isRecord, listOf, maybe, name, text, type Check } from '../src/data/checks.ts'
import { GraftError } from '../src/protocol/errors.ts'

const number: Check = (value) => (typeof value === 'number' ? null : 'must be a number')
/** Only its name is looked at here; whoever reads it says what is wrong with it. */
const elsewhere: Check = () => null
const record =
  (what: string, item: Check): Check =>
  (value) =>
    isRecord(value) && Object.values(value).every((one) => item(one) === null) ? null : `must be ${what}`
const config = record(
  'a task and its columns, such as { task: "classify", columns: { text, label } }',
  elsewhere,
)
const condition: Check = (value) => {
  if (typeof value === 'string') return null
  const wrong =
    'must be an expression, or a condition such as { column: "text", is: "contains", text: "refund" }'
  if (!isRecord(value) || typeof value.column !== 'string' || typeof value.is !== 'string') return wrong
  const { is } = value
  if (['contains', 'equals', 'starts'].includes(is) && typeof value.text !== 'string')
    return `must say the text that a cell ${is}: { column, is: "${is}", text }`
  if (is === 'oneOf' && listOf('texts', text)(value.values) !== null)
    return 'must list the values: { column, is: "oneOf", values: ["a", "b"] }'
  return null
}
const conditions: Check = (value) =>
  Array.isArray(value)
    ? ((value as unknown[]).map(condition).find((fault) => fault !== null) ?? null)
    : condition(value)
const sample: Check = (value) => (isRecord(value) ? null : 'must be { rows, seed }, such as { rows: 100 }')
const sort: Check = (value) =>
  isRecord(value) && name(value.column) === null && maybe(flag)(value.descending) === null
    ? null
    : 'must be { column, descending }, such as { column: "text" }'

const view = {
  split: maybe(text),
  filter: maybe(conditions),
  query: maybe(text),
  sample: maybe(sample),
  sort: maybe(sort),
}
const reading = {
  name: maybe((value) =>
    typeof value === 'string' && value.trim() !== '' ? null : 'must be a text that is not empty',
  ),
  origin: maybe(text),
  format: maybe(text),
  encoding: maybe(text),
  delimiter: maybe(text),
  quote: maybe(text),
  header: maybe(flag),
  guarded: maybe(flag),
  types: maybe(record('types by column, such as { price: "number" }', text)),
  unit: maybe(text),
  windowSize: maybe(number),
  overlap: maybe(number),
  model: maybe(text),
  union: maybe(flag),
}
const groups: Check = (value) =>
  Array.isArray(value) &&
  value.every(
    (one) =>
      isRecord(one) &&
      text(one.theme) === null &&
      text(one.name) === null &&
      listOf('', text)(one.words) === null,
  )
    ? null
    : 'must be a list of { theme, name, words: [...] }'

/** The settings of each call that has some. */
const SETTINGS = {
  pasted: { html: maybe(text), text: maybe(text) },
  import: reading,
  append: reading,
  preview: { ...reading, target: maybe(text) },
  rows: { ...view, offset: maybe(number), limit: maybe(number) },
  search: { ...view, offset: maybe(number), limit: maybe(number) },
  place: view,
  profile: {
    columns: maybe(listOf('column names', name)),
    split: maybe(text),
    model: maybe(text),
    top: maybe(number),
  },
  health: {
    columns: maybe(listOf('column names', name)),
    label: maybe(text),
    threshold: maybe(number),
    shingle: maybe(number),
    seed: maybe(number),
    labelRows: maybe(number),
    rare: maybe(number),
    groups: maybe(groups),
    target: maybe(record('a share for each class, such as { yes: 0.3, no: 0.7 }', number)),
    model: maybe(text),
    maxLength: maybe(number),
    config: maybe(
      (value) => config(value) ?? (isRecord((value as { columns?: unknown }).columns) ? null : config(null)),
    ),
  },
  configure: {
    task: elsewhere,
    columns: elsewhere,
    separator: maybe(text),
    turns: elsewhere,
  },
  split: {
    train: maybe(number),
    validation: maybe(number),
    test: maybe(number),
    seed: maybe(number),
    stratify: maybe(text),
    by: maybe(either(name, listOf('names of columns', name))),
    group: maybe(name),
    time: maybe(name),
    near: maybe(either(flag, number)),
    folds: maybe(number),
    fold: maybe(number),
    unit: maybe(text),
    // A split that is given again, as a dataset has it, counts its rows.
    rows: maybe(
      record(
        'the counts of an earlier split; sizes in rows are train, validation and test, with unit: "rows"',
        number,
      ),
    ),
  },
  export: {
    format: elsewhere,
    guard: elsewhere,
    split: elsewhere,
    marks: elsewhere,
    bundle: elsewhere,
    licence: elsewhere,
    about: elsewhere,
    problems: elsewhere,
  },
} satisfies Record<string, Record<string, Check>>

/** The settings as they were given. Throws E_ARGUMENT naming the one that is unknown or of another type. */
export function checkSettings<T>(call: keyof typeof SETTINGS, given: T): T {
  const subject = `datasets.${call}`
  const members: Record<string, Check> = SETTINGS[call]
  const fault = isRecord(given)
    ? faultOf(subject, given, members)
    : `The settings of ${subject} must be an object with some of ${Object.keys(members).join(', ')}`
  if (fault !== null) throw new GraftError('E_ARGUMENT', `${fault}.`, { call })
  return given
}

/** Throws E_ARGUMENT for what cannot be the id of a dataset. */
export function checkId(id: unknown): void {
  if (typeof id !== 'string')
    throw new GraftError(
      'E_ARGUMENT',
      'The first argument must be the id of a dataset: what import gave as id, or one of list().',
    )
}
