// The health report: all checks side by side over as few passes as they need, in memory that does not grow with the
// length of the texts. What can be fixed, and spoils most, comes first.
import type { ColumnType, TaskConfig } from '../../protocol/data.ts'
import { GraftError } from '../../protocol/errors.ts'
import {
  FINDING_KINDS,
  NEAR_SHINGLE,
  NEAR_THRESHOLD,
  SEVERITIES,
  type Finding,
  type FindingKind,
  type HealthOptions,
  type HealthReport,
  type SkippedCheck,
} from '../../protocol/health.ts'
import type { CallContext } from '../../protocol/progress.ts'
import { optionalColumns, requiredColumns } from '../examples.ts'
import type { Table } from '../table.ts'
import { TEXTS_LIMIT } from './buckets.ts'
import { hundredths, pausing } from '../pause.ts'
import { Labels, NO_ROW, RowView, type Check, type HealthInput } from './check.ts'
import { imbalanceCheck, rareClassesCheck } from './classes.ts'
import { coverageCheck } from './coverage.ts'
import { conflictsCheck, duplicatesCheck } from './duplicates.ts'
import { groupsCheck } from './groups.ts'
import { FirstRows } from './hash.ts'
import { labelLeakageCheck } from './labelLeakage.ts'
import { labelWordsCheck } from './labelWords.ts'
import { languageCheck } from './language.ts'
import { lengthsCheck, type Measure } from './lengths.ts'
import { mislabelledCheck } from './mislabelled.ts'
import { missingCheck } from './missing.ts'
import { nearDuplicatesCheck } from './nearDuplicates.ts'
import { noiseChecks } from './noise.ts'
import { charactersCheck, lengthCheck } from './outliers.ts'
import { personalCheck } from './personal.ts'

/** Rows that a report takes; near-duplicates put one of them and a key into one number. */
export const HEALTH_ROWS_LIMIT = TEXTS_LIMIT

/** What to deal with first among findings of one severity: what makes every later figure wrong comes before the rest. */
const ORDER: readonly FindingKind[] = [
  'splitLeakage',
  'labelLeakage',
  'unlearnable',
  'missing',
  'labelConflicts',
  'personalData',
  'exactDuplicates',
  'mojibake',
  'mislabelled',
  'nearDuplicates',
  'html',
  'controlCharacters',
  'truncation',
  'rareClasses',
  'imbalance',
  'classCoverage',
  'language',
  'repetition',
  'lengthOutliers',
  'characterOutliers',
  'groups',
  'labelWords',
  'urls',
]

/** What is known of a table besides its rows. */
export interface HealthContext {
  /** Types of its columns, in their order. */
  types: readonly ColumnType[]
  config: TaskConfig | null
  /** Part of each row (an index into SPLIT_NAMES); null where nothing is split. */
  parts: Uint8Array | null
  /** Counts tokens with a base's tokenizer; null: estimated. */
  measure: Measure | null
  /** Columns by whose values the recipe weighs training rows already. */
  weighed?: readonly string[]
}

export type Judged = Omit<HealthReport, 'dataset' | 'createdAt' | 'seconds'>

/**
 * Judges a table.
 * Throws E_ARGUMENT for options out of range, E_DATASET for a column that is not there, E_LIMIT for more than
 * HEALTH_ROWS_LIMIT rows, E_ABORTED.
 */
export async function judge(
  table: Table,
  known: HealthContext,
  options: HealthOptions,
  { signal, progress }: CallContext,
): Promise<Judged> {
  checkOptions(options)
  if (table.rows >= HEALTH_ROWS_LIMIT)
    throw new GraftError(
      'E_LIMIT',
      `A health report takes fewer than ${HEALTH_ROWS_LIMIT.toLocaleString('en')} rows, but the table has ${table.rows.toLocaleString('en')}. Look at a part of it.`,
      { rows: table.rows },
    )
  const input = inputOf(table, known, options)
  const checks = checksOf(input, known.measure)
  let label = 'Looking at the rows'
  let tell = hundredths(label, progress)
  const pause = pausing(signal, (share) => tell(share))

  let texts: FirstRows | null = new FirstRows(table.rows)
  const view = new RowView(input.texts, conversations(known.config, table.columns))
  const pass = async (each: (row: RowView) => void): Promise<void> => {
    let done = 0
    const begun = performance.now()
    for await (const { start, rows } of table.batches()) {
      await pause()
      for (const [i, cells] of rows.entries()) {
        view.set(cells, start + i)
        each(view)
        if (i % 50 === 49) await pause()
      }
      done += rows.length
      const passed = (performance.now() - begun) / 1000
      progress({
        label,
        done,
        total: table.rows,
        unit: 'rows',
        ...(done > 0 && passed > 1 ? { secondsLeft: (passed / done) * (table.rows - done) } : {}),
      })
    }
  }

  const firstChecks = checks.filter((check) => check.row)
  await pass((row) => {
    if (input.label !== null) row.label = input.labels.add(row.cells[input.label] ?? '')
    const text = row.key
    row.first = text === '' ? NO_ROW : texts!.firstOf(text, row.index)
    for (const check of firstChecks) check.row!(row)
  })
  texts = null

  const asked: { check: Check; passes: number }[] = []
  for (const check of checks) {
    if (!check.between) continue
    if (check.working !== undefined) {
      tell = hundredths(check.working, progress)
      tell(0)
    }
    const passes = await check.between(pause)
    if (passes > 0) asked.push({ check, passes })
  }
  label = 'Verifying what was found'
  for (let at = 0; at < Math.max(0, ...asked.map(({ passes }) => passes)); at++) {
    const now = asked.filter(({ passes }) => at < passes).map(({ check }) => check)
    for (const check of now) check.begin?.(at)
    await pass((row) => {
      if (input.label !== null) row.label = input.labels.find(row.cells[input.label] ?? '')
      for (const check of now) check.again!(row, at)
    })
    for (const check of now) check.end?.(at)
  }

  const findings: Finding[] = []
  for (const check of checks) {
    findings.push(...(await check.finish(pause)))
    await pause()
  }
  return {
    rows: table.rows,
    columns: input.texts.map((place) => table.columns[place]!),
    label: input.label === null ? null : table.columns[input.label]!,
    findings: ordered(findings),
    ...unfound(checks, findings, input),
  }
}

function checksOf(input: HealthInput, measure: Measure | null): Check[] {
  const all: (Check | null)[] = [
    missingCheck(input),
    duplicatesCheck(input),
    nearDuplicatesCheck(input),
    conflictsCheck(input),
    rareClassesCheck(input),
    imbalanceCheck(input),
    mislabelledCheck(input),
    ...noiseChecks(input),
    languageCheck(input),
    lengthCheck(input),
    charactersCheck(input),
    personalCheck(input),
    labelLeakageCheck(input),
    lengthsCheck(input, measure),
    groupsCheck(input),
    labelWordsCheck(input),
    coverageCheck(input),
  ]
  return all.filter((check) => check !== null)
}

export function ordered(findings: readonly Finding[]): Finding[] {
  return findings.toSorted(
    (a, b) =>
      SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
      ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind) ||
      b.count - a.count,
  )
}

/** What was looked for and not found, and what could not be looked for. */
function unfound(
  checks: readonly Check[],
  findings: readonly Finding[],
  input: HealthInput,
): { clean: FindingKind[]; skipped: SkippedCheck[] } {
  const skipped = checks.flatMap((check) => check.skipped?.() ?? [])
  const made = new Set(checks.flatMap(({ kinds }) => kinds))
  for (const kind of FINDING_KINDS)
    if (!made.has(kind)) skipped.push({ kind, reason: reasonFor(kind, input) })
  const left = new Set(skipped.map(({ kind }) => kind))
  const found = new Set(findings.map(({ kind }) => kind))
  return { clean: FINDING_KINDS.filter((kind) => !found.has(kind) && !left.has(kind)), skipped }
}

function reasonFor(kind: FindingKind, input: HealthInput): string {
  if (kind === 'truncation' || kind === 'unlearnable') return 'Choose a task and its columns first.'
  if (input.texts.length === 0 && !['rareClasses', 'imbalance', 'labelLeakage'].includes(kind))
    return 'The table has no column of texts.'
  if (kind === 'splitLeakage') return 'The rows are not split yet.'
  if (kind === 'classCoverage' && input.label !== null) return 'Give the share that each class should have.'
  return 'There is no column of labels.'
}

function inputOf(
  table: Table,
  { types, config, parts, weighed = [] }: HealthContext,
  options: HealthOptions,
): HealthInput {
  const placeOf = (name: string): number => {
    const place = table.columns.indexOf(name)
    if (place < 0)
      throw new GraftError(
        'E_DATASET',
        `The dataset has no column "${name}". Its columns: ${table.columns.join(', ')}.`,
        { column: name },
      )
    return place
  }
  const named = options.label ?? (config?.task === 'classify' ? config.columns.label : undefined)
  const label = named ? placeOf(named) : null
  const texts = (options.columns ?? textNames(table.columns, types, config)).map(placeOf)
  return {
    columns: table.columns,
    rows: table.rows,
    texts: texts.filter((place) => place !== label),
    label,
    labels: new Labels(),
    parts: parts && parts.length === table.rows && parts.some((part) => part !== parts[0]) ? parts : null,
    config,
    weighed,
    options,
  }
}

/** The columns of the task, else those of type text, else those that at least hold words. */
function textNames(
  columns: readonly string[],
  types: readonly ColumnType[],
  config: TaskConfig | null,
): string[] {
  if (config)
    return [...requiredColumns(config), ...optionalColumns(config)].flatMap((role) =>
      role === 'label' || config.columns[role] === undefined ? [] : [config.columns[role]],
    )
  const of = (type: ColumnType): string[] => columns.filter((_, place) => types[place] === type)
  return of('text').length > 0 ? of('text') : of('category')
}

/** Places of the columns whose cells are lists of messages. */
function conversations(config: TaskConfig | null, columns: readonly string[]): Set<number> {
  if (config?.task !== 'chat') return new Set()
  const { prompt, completion, messages } = config.columns
  const names = [prompt, completion, messages].filter((name) => name !== undefined)
  return new Set(names.map((name) => columns.indexOf(name)))
}

function checkOptions(options: HealthOptions): void {
  const {
    threshold = NEAR_THRESHOLD,
    shingle = NEAR_SHINGLE,
    rare = 10,
    labelRows = 1,
    seed = 42,
    maxLength = 256,
  } = options
  const fail = (name: string, range: string, value: unknown): never => {
    throw new GraftError('E_ARGUMENT', `health: ${name} must be ${range}, but is ${String(value)}.`, { name })
  }
  if (!(threshold >= 0.5 && threshold <= 1)) fail('threshold', 'from 0.5 to 1', threshold)
  const whole = {
    shingle: [1, 8],
    rare: [1, 1e6],
    labelRows: [1, 1e6],
    seed: [0, 0xffffffff],
    maxLength: [1, 1e6],
  }
  const given = { shingle, rare, labelRows, seed, maxLength }
  for (const [name, [least, most]] of Object.entries(whole)) {
    const value = given[name as keyof typeof given]
    if (!Number.isInteger(value) || value < least! || value > most!)
      fail(name, `a whole number from ${least} to ${most}`, value)
  }
  for (const share of Object.values(options.target ?? {}))
    if (!(share >= 0 && share < Infinity)) fail('target', 'shares from 0', share)
  if (options.target && !Object.values(options.target).some((share) => share > 0))
    fail('target', 'shares of which one is above 0', 0)
}
