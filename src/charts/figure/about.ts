// What is said about a figure wherever it goes: what drew it, from which model and text, with which settings.
import { toCsv, type Table } from '../csv.ts'

/** Fields of what was asked, from the view: model, run or adapter, strength, text, output. Undefined ones are left out. */
export type FigureContext = Readonly<Record<string, unknown>>

export interface FigureInfo {
  format: 'graft-figure'
  version: 1
  /** Version of Graft. */
  graft: string
  title: string
  note?: string
  /** When it was exported, ISO 8601. */
  made: string
  method?: unknown
  /** Null: nothing was drawn at random. */
  seed: unknown
  /** Whatever else the drawing was made with. */
  settings: Record<string, unknown>
  [field: string]: unknown
}

/** What a figure's JSON file holds: all that is known about it, and its numbers. */
export interface FigureFile extends FigureInfo {
  columns: string[]
  /** Numbers that are none (NaN, infinity) are null. */
  rows: (string | number | null)[][]
}

/** Fields that stand by themselves where a drawing names them; the others are its settings. */
const OWN = ['method', 'seed', 'text', 'output', 'contrast', 'residual']

export function figureInfo(
  drawing: { title: string; note?: string | undefined; about?: FigureContext | undefined },
  context: FigureContext,
  graft: string,
  made: Date,
): FigureInfo {
  const about = plain(drawing.about ?? {}) as Record<string, unknown>
  const own = Object.fromEntries(Object.entries(about).filter(([key]) => OWN.includes(key)))
  const settings = Object.fromEntries(Object.entries(about).filter(([key]) => !OWN.includes(key)))
  return {
    format: 'graft-figure',
    version: 1,
    graft,
    title: drawing.title,
    ...(drawing.note && { note: drawing.note }),
    made: made.toISOString(),
    ...(plain(context) as Record<string, unknown>),
    seed: null,
    ...own,
    settings,
  }
}

/** What each row of a CSV is of, in columns behind its own. */
const SAID = ['method', 'seed', 'model', 'adapter', 'strength', 'text', 'settings'] as const

/**
 * The numbers, and in the first row what made them: a table still, and the file says where it is from. Once is enough: a map
 * of attention has a row for every cell.
 */
export function toFigureCsv(info: FigureInfo, { columns, rows }: Table): string {
  const said = SAID.map((name) => brief(info[name]))
  const blank = SAID.map(() => '')
  const numbers = rows.length > 0 ? rows : [columns.map(() => '')]
  return toCsv({
    columns: [...columns, ...SAID.map((name) => `made with ${name}`)],
    rows: numbers.map((row, at) => [...row, ...(at === 0 ? said : blank)]),
  })
}

function brief(value: unknown): string | number {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value)
}

export function toFigureJson(info: FigureInfo, { columns, rows }: Table): string {
  const file = { ...info, columns, rows: plain(rows) } as FigureFile
  // One line a row: files stay readable, and small.
  const { rows: lines, ...head } = file
  const written = lines.map((row) => `    ${JSON.stringify(row)}`).join(',\n')
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "rows": [${written && `\n${written}\n  `}]\n}\n`
}

/** The same in words, a line a fact. */
export function describeFigure(info: FigureInfo): string {
  const skipped = ['format', 'version', 'title', 'settings']
  const facts = Object.entries(info).filter(([key, value]) => !skipped.includes(key) && value !== null)
  return [...facts, ...Object.entries(info.settings)]
    .map(([key, value]) => `${key}: ${words(value)}`)
    .join('\n')
}

/** One line for the lower edge of a picture: the model and what it was asked. */
export function captionOf(info: FigureInfo): string {
  const name = (value: unknown) =>
    value !== null && typeof value === 'object' && 'name' in value ? String(value.name) : undefined
  const tuned = name(info['run']) ?? name(info['adapter'])
  const model = name(info['model'])
  const strength = info['strength']
  return [
    tuned && model && !tuned.includes(model) ? `${tuned} on ${model}` : (tuned ?? model),
    typeof strength === 'number' && strength !== 1 && `strength ${strength}`,
    typeof info.method === 'string' && !info.title.includes(info.method) && info.method,
    info.seed !== null && `seed ${String(info.seed)}`,
    'Graft',
  ]
    .filter(Boolean)
    .join(' · ')
}

function words(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return value.map(words).join(', ')
  return Object.entries(value)
    .map(([key, inner]) => `${key} ${words(inner)}`)
    .join(', ')
}

/** As JSON writes it: typed arrays are lists, numbers that are none are null, what is undefined is left out. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, inner: unknown) =>
      ArrayBuffer.isView(inner) && !(inner instanceof DataView)
        ? Array.from(inner as unknown as ArrayLike<number>)
        : inner,
    ),
  )
}
