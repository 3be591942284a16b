// A recipe: what is done to the raw rows of a dataset before anyone trains on them. Raw rows are never changed; the same
// recipe over the same source with the same seed gives the same rows again, so a recipe is plain JSON and can be shared.

/** The format of a recipe's JSON; a reader refuses a newer one. */
export const RECIPE_VERSION = 1

/** What every step has. */
interface StepCommon {
  /** Switched off steps stay in the list and do nothing; default true. */
  enabled?: boolean
  /** Why the step is there, in the words of whoever added it. */
  note?: string
}

/** Columns that a step works on; absent: every column. */
interface OnColumns {
  columns?: string[]
}

/** Which row of a set of duplicates stays. `longest`: the most characters in all its cells, the first of equals. */
export type Keep = 'first' | 'last' | 'longest'

/** Personal data that can be found; the words of placeholders are the same in capitals: [EMAIL_1]. */
export const PERSONAL_KINDS = ['email', 'phone', 'card', 'iban', 'ip', 'nationalId', 'name'] as const
export type PersonalKind = (typeof PERSONAL_KINDS)[number]

/** Unicode form, white space, quotation marks, letter case, control characters. What is absent stays as it is. */
export interface NormaliseStep extends StepCommon, OnColumns {
  kind: 'normalise'
  form?: 'NFC' | 'NFKC'
  /** `trim`: at both ends; `collapse`: also runs within, keeping line breaks. */
  space?: 'trim' | 'collapse'
  /** Curly quotation marks and apostrophes become straight ones. */
  quotes?: boolean
  case?: 'lower' | 'upper'
  /** Control characters but tab and line break, zero-width characters and byte order marks are removed. */
  controls?: boolean
}

/** Tags go, entities become characters, block elements become line breaks; scripts and styles go with their content. */
export interface StripHtmlStep extends StepCommon, OnColumns {
  kind: 'stripHtml'
}

/** UTF-8 that was read as windows-1252 ("Ã©") becomes what it was ("é"). */
export interface FixMojibakeStep extends StepCommon, OnColumns {
  kind: 'fixMojibake'
}

/** Drops rows in which any (default) or all of the columns are empty or only white space. */
export interface DropMissingStep extends StepCommon, OnColumns {
  kind: 'dropMissing'
  when?: 'any' | 'all'
}

/** Fills empty cells with a value, or with the most frequent value of the column (`mode`). */
export interface FillMissingStep extends StepCommon {
  kind: 'fillMissing'
  columns: string[]
  with: { value: string } | 'mode'
}

/** Rows whose cells are equal; white space at the ends never counts. */
export interface DedupeExactStep extends StepCommon, OnColumns {
  kind: 'dedupeExact'
  /** Default first. */
  keep?: Keep
  ignoreCase?: boolean
}

/** Rows whose word shingles overlap by at least `threshold` (Jaccard, default 0.8). */
export interface DedupeNearStep extends StepCommon, OnColumns {
  kind: 'dedupeNear'
  threshold?: number
  /** Words in a shingle, 1 to 20; default 3. Fewer find texts whose words stand in another order. */
  shingle?: number
  /** Default first. */
  keep?: Keep
}

/** Rows with the same text and different labels. */
export interface ResolveConflictsStep extends StepCommon {
  kind: 'resolveConflicts'
  /** Columns that make two rows the same. */
  columns: string[]
  label: string
  /** `majority`: all get the most frequent label, and go where two labels are equally frequent. `first`: all get the
   *  label of the first row. `drop`: all go. */
  how: 'majority' | 'drop' | 'first'
}

/** Renames or merges values of a column; two that map to the same name are merged. */
export interface MapLabelsStep extends StepCommon {
  kind: 'mapLabels'
  column: string
  /** From the trimmed cell to the new one, as pairs: a label may be called anything. */
  map: [from: string, to: string][]
  /** What happens to values that the map does not name; default keep. */
  others?: 'keep' | 'drop' | { value: string }
}

/** Keeps the rows for which the expression is true (language: src/data/expression.ts). */
export interface FilterStep extends StepCommon {
  kind: 'filter'
  where: string
}

/** Personal data becomes placeholders; the same value gets the same number everywhere in the dataset. */
export interface RedactStep extends StepCommon, OnColumns {
  kind: 'redact'
  /** Default: all kinds. */
  kinds?: PersonalKind[]
}

/** Words or phrases become another text, as whole words and without regard to case. */
export interface ReplaceWordsStep extends StepCommon, OnColumns {
  kind: 'replaceWords'
  words: string[]
  /** Default '': they go, with a space beside them. */
  with?: string
}

/** Repeats (over) or leaves out (under) training rows until the values of a column are as frequent as wanted. */
export interface RebalanceStep extends StepCommon {
  kind: 'rebalance'
  column: string
  method: 'over' | 'under'
  /** Rows of each value: as many as the most frequent value (`over`), as the rarest (`under`), or this number. With `shares`:
   *  rows in all. */
  to?: number
  /** Wanted shares of the values in place of equal ones, as pairs; they need not add up to 1. Rows of other values stay. */
  shares?: [value: string, share: number][]
  /** `over` only: at most this many copies of one row; default 10. */
  most?: number
}

/**
 * Gives training rows a weight in the loss; rows and cells stay. It works on the rows that come out of all other steps,
 * wherever it stands. The weights of several such steps are multiplied; an empty cell leaves a row as it is.
 */
export interface WeighStep extends StepCommon {
  kind: 'weigh'
  column: string
  /** `balanced`: training rows / (values x rows of the value); `value`: what `weights` says, 1 for values that it does not
   *  name; `number`: the cell itself. */
  by: 'balanced' | 'value' | 'number'
  /** `value` only. Pairs of a trimmed cell and its weight, 0.000001 to 1,000,000. */
  weights?: [value: string, weight: number][]
}

/** A column made of others: text with expressions in braces, such as `{title}: {lower(text)}`. `{{` is a brace. */
export interface DeriveStep extends StepCommon {
  kind: 'derive'
  /** A new column, or one whose cells are replaced. */
  column: string
  template: string
}

/** Cuts cells to a length; words are never cut in half with `words`. */
export interface TruncateStep extends StepCommon, OnColumns {
  kind: 'truncate'
  unit: 'characters' | 'words'
  limit: number
  /** Which end stays; default start. */
  keep?: 'start' | 'end'
}

/** Leaves columns out, or keeps only these, in the order given. */
export interface ColumnsStep extends StepCommon {
  kind: 'columns'
  columns: string[]
  how: 'keep' | 'drop'
}

/** Leaves out rows by their raw id, with what steps made of them, such as those that a report named. */
export interface DropRowsStep extends StepCommon {
  kind: 'dropRows'
  rows: number[]
  /** Rows that steps added, by `cellsKey` of src/data/recipe/rowKeys.ts: the rows that they were made from stay. */
  made?: string[]
}

/** Cells changed by hand, by raw id; a row that an earlier step dropped is no error. */
export interface EditStep extends StepCommon {
  kind: 'edit'
  edits: { row: number; column: string; value: string }[]
}

export const AUGMENTATIONS = ['delete', 'swap', 'insert', 'synonym', 'typo', 'noise', 'paraphrase'] as const
export type Augmentation = (typeof AUGMENTATIONS)[number]

/**
 * Adds changed copies of training rows, marked synthetic. `delete`, `swap`, `insert`: random words (Wei & Zou 2019, EDA);
 * `synonym`: words of a small English lexicon; `typo`: neighbouring keys; `noise`: letter case and punctuation;
 * `paraphrase`: the text inside a template, by default polite wrappings of a request. A copy that equals a row, or whose
 * length left the bounds, is not added.
 */
export interface AugmentStep extends StepCommon {
  kind: 'augment'
  method: Augmentation
  /** The column whose text is varied; the other cells are copied. */
  column: string
  /** Copies tried per row, 1 to 20; default 1. */
  copies?: number
  /** Share of the words (or of the characters, for typo) that is changed, above 0 to 0.5; default 0.1. */
  strength?: number
  /** Only rows for which this expression is true, such as `label = "rare"`. */
  where?: string
  /** `paraphrase`: texts with `{text}` in them. */
  templates?: string[]
  /** A copy's length in characters relative to its row's; default [0.5, 2]. */
  length?: [least: number, most: number]
}

/**
 * Adds given rows to the training part, marked synthetic: for instance what a model wrote. The rows stand in the recipe,
 * so that it gives the same dataset without that model. A row that equals another one is not added.
 */
export interface AddRowsStep extends StepCommon {
  kind: 'addRows'
  /** Cells in the order of `columns`. */
  columns: string[]
  rows: string[][]
  /** Where they come from: the model and what it was asked. */
  origin?: string
}

export type RecipeStep =
  | NormaliseStep
  | StripHtmlStep
  | FixMojibakeStep
  | DropMissingStep
  | FillMissingStep
  | DedupeExactStep
  | DedupeNearStep
  | ResolveConflictsStep
  | MapLabelsStep
  | FilterStep
  | RedactStep
  | ReplaceWordsStep
  | RebalanceStep
  | WeighStep
  | DeriveStep
  | TruncateStep
  | ColumnsStep
  | DropRowsStep
  | EditStep
  | AugmentStep
  | AddRowsStep

export type StepKind = RecipeStep['kind']

/** Steps that touch training rows only: what validates and tests stays what it is. */
export const TRAINING_STEPS: ReadonlySet<StepKind> = new Set<StepKind>([
  'rebalance',
  'weigh',
  'augment',
  'addRows',
])

/** A recipe as it is kept, exported and imported. */
export interface Recipe {
  version: typeof RECIPE_VERSION
  /** For every step that draws random numbers; 0 to 4,294,967,295. */
  seed: number
  steps: RecipeStep[]
  /** What it was made for; a recipe may be applied to another source, and says so. */
  source?: { name: string; sha256: string; rows: number }
}

/** The weights that a step gave. */
export interface Weighed {
  /** Training rows that got one, and the range of their weights. */
  rows: number
  least: number
  most: number
  /** The weight of each value and the training rows that have it, the most frequent 200 first; absent for `number`. */
  values?: { value: string; rows: number; weight: number }[]
}

/** What a step did. */
export interface StepReport {
  before: number
  after: number
  /** Rows whose cells it changed. */
  changed: number
  removed: number
  added: number
  weighed?: Weighed
}

/** The recipe of a dataset and what it does. */
export interface RecipeState {
  recipe: Recipe
  /** One a step, in order; null for a step that is switched off. */
  reports: (StepReport | null)[]
  /** Rows and columns before the first step. */
  raw: { rows: number; columns: string[] }
  /** Rows and columns after the last one. */
  rows: number
  columns: string[]
  /** Rows that steps added. */
  synthetic: number
  /** Changes of the recipe that `undo` can take back. */
  undoable: number
}
