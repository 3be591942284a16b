// The datasheet of a dataset (Gebru et al. 2021, "Datasheets for Datasets"): where it comes from, what is in it, what was done
// to it, how it is divided, and what is known to be wrong with it, in Markdown.
import { SPLIT_NAMES, type Dataset } from '../protocol/data.ts'
import type { RecipeState, StepReport, WeighStep } from '../protocol/recipe.ts'
import type { TakeOutRequest } from '../protocol/takeOut.ts'
import { sayReport, sayStep, sayWeight } from './recipe/say.ts'

export interface DatasheetFacts {
  dataset: Dataset
  state: RecipeState
  request: TakeOutRequest
  /** Rows and SHA-256 (hex) of the exported file. */
  file: { name: string; rows: number; sha256: string }
  /** Rows of each label in each part, where there are labels. */
  labels: ReadonlyMap<string, readonly number[]> | null
  /** Milliseconds since 1970. */
  now: number
}

/** Text from a file as plain text of Markdown, on one line. */
export function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>()#+\-!|~&]/g, (char) => `\\${char}`)
}

const number = (value: number): string => value.toLocaleString('en')
const day = (time: number): string => new Date(time).toISOString().slice(0, 10)
const share = (part: number, whole: number): string =>
  whole === 0 ? '0%' : `${((100 * part) / whole).toFixed(1)}%`
const table = (head: string[], rows: string[][]): string[] => [
  `| ${head.join(' | ')} |`,
  `| ${head.map(() => '---').join(' | ')} |`,
  ...rows.map((row) => `| ${row.join(' | ')} |`),
]

export function datasheet(facts: DatasheetFacts): string {
  return [
    [
      `# ${plain(facts.dataset.name)}`,
      '',
      facts.request.about ? plain(facts.request.about) : 'No description was given.',
    ],
    source(facts),
    content(facts),
    cleaning(facts),
    parts(facts),
    problems(facts),
    [
      '## Licence',
      '',
      facts.request.licence
        ? plain(facts.request.licence)
        : 'Not stated. Ask whoever gave you this file before you use or share it.',
    ],
    ['---', '', `Made with Graft on ${day(facts.now)}.`],
  ]
    .map((lines) => lines.join('\n'))
    .join('\n\n')
    .concat('\n')
}

function source({ dataset, state }: DatasheetFacts): string[] {
  return [
    '## Source',
    '',
    `- ${dataset.origin === 'clipboard' ? 'Pasted' : 'File'}: ${plain(dataset.name)} (${(dataset.format ?? 'csv').toUpperCase()}, ${number(dataset.bytes)} bytes), imported on ${day(dataset.createdAt)}`,
    `- SHA-256 of the source: \`${dataset.sha256}\``,
    `- Raw rows: ${number(state.raw.rows)}; columns: ${state.raw.columns.map(plain).join(', ')}`,
  ]
}

function content({ dataset, state, file }: DatasheetFacts): string[] {
  return [
    '## Content',
    '',
    `- This file: \`${file.name}\`, ${number(file.rows)} rows, SHA-256 \`${file.sha256}\``,
    `- The dataset: ${number(dataset.rows)} rows, of which ${number(state.synthetic)} are synthetic (made by a step of the recipe)`,
    '',
    ...table(
      ['Column', 'Type', 'Empty', 'Distinct', 'Mean length'],
      dataset.columns.map(({ name, type, missing, distinct, meanLength }) => [
        plain(name),
        type,
        `${number(missing)} (${share(missing, dataset.rows)})`,
        number(distinct),
        `${meanLength.toFixed(1)} characters`,
      ]),
    ),
  ]
}

function cleaning({ state }: DatasheetFacts): string[] {
  const { steps, seed } = state.recipe
  if (steps.length === 0) return ['## Cleaning', '', 'None: the rows are those of the source.']
  return [
    '## Cleaning',
    '',
    `In this order, with the seed ${seed}. The recipe over the same source gives the same rows again.`,
    '',
    ...steps.map((step, i) => `${i + 1}. ${plain(sayStep(step))}: ${sayReport(state.reports[i] ?? null)}`),
    ...steps.flatMap((step, i) => (step.kind === 'weigh' ? weights(step, state.reports[i] ?? null) : [])),
  ]
}

function weights({ column }: WeighStep, report: StepReport | null): string[] {
  const values = report?.weighed?.values
  if (!values) return []
  return [
    '',
    `Weights of training rows in the loss by ${plain(column)}; validation and test rows have none.`,
    '',
    ...table(
      ['Value', 'Training rows', 'Weight'],
      values.map(({ value, rows, weight }) => [plain(value), number(rows), sayWeight(weight)]),
    ),
  ]
}

function parts({ dataset, labels }: DatasheetFacts): string[] {
  const { split } = dataset
  if (!split) return ['## Splits', '', 'The rows are not divided.']
  const how = [
    split.stratify !== undefined && `the values of ${split.stratify} keep their shares`,
    split.by && `the combinations of ${split.by.join(', ')} keep their shares`,
    split.group !== undefined && `rows of one ${split.group} stay together`,
    split.time !== undefined && `in the order of ${split.time}`,
    split.near !== undefined && `near-duplicates (Jaccard ${split.near}) stay together`,
    split.folds !== undefined && `fold ${(split.fold ?? 0) + 1} of ${split.folds} validates`,
  ].filter((part) => typeof part === 'string')
  const labelRows = labels
    ? [
        '',
        ...table(
          ['Label', ...SPLIT_NAMES],
          [...labels].map(([label, counts]) => [plain(label), ...counts.map(number)]),
        ),
      ]
    : []
  return [
    '## Splits',
    '',
    `Seed ${split.seed}${how.length > 0 ? `; ${plain(how.join('; '))}` : ''}. Rows that are added later never move a row from one part to another.`,
    '',
    ...table(
      ['Part', 'Rows', 'Share'],
      SPLIT_NAMES.map((name) => [name, number(split.rows[name]), share(split.rows[name], dataset.rows)]),
    ),
    ...labelRows,
  ]
}

function problems({ dataset, request }: DatasheetFacts): string[] {
  const known = [
    ...(request.problems ?? []).map(plain),
    ...dataset.problems
      .slice(0, 20)
      .map(({ line, message }) => `Line ${number(line)} of the source: ${plain(message)}`),
  ]
  const more = dataset.problemCount - Math.min(20, dataset.problems.length)
  if (more > 0) known.push(`${number(more)} more problems of the source file`)
  return [
    '## Known problems',
    '',
    ...(known.length > 0 ? known.map((line) => `- ${line}`) : ['None were noted.']),
  ]
}
