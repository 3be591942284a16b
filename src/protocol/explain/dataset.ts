// A classifier over many rows of a dataset: rules that say what it does, the words its answers hang on, and the rows on
// which it and the labels disagree.
import type { SplitName } from '../data.ts'

/** Rows to ask the classifier about. */
export interface DatasetRowsChoice {
  dataset: string
  /** Default: 'train' (rules, importance), 'test' (mistakes). */
  split?: SplitName
  /** Drawn with the seed; defaults: 1,000 (rules, mistakes), 100 (importance). */
  rows?: number
  /** Default: 0. */
  seed?: number
}

export interface RulesRequest extends DatasetRowsChoice {
  /** Questions on the way down the tree, and conditions of a rule at most (default 3, 1 to 6). */
  depth?: number
  /** Rows that each side of a question, and each rule, must have at least (default 5). */
  leaf?: number
  /** Words in a row that are looked for: from, to (default [1, 2], at most 3). */
  ngrams?: [from: number, to: number]
  /** N-grams that are looked for at most, the most frequent ones (default 500). */
  features?: number
  /** Other columns, too (default true). */
  columns?: boolean
  /** Of a rule, in the rows learnt from (defaults 0.5 and 0.01). */
  precision?: number
  recall?: number
  /** Rules of one label at most (default 8). */
  count?: number
}

/** Something that is so in a row or not. */
export type RuleFeature =
  /** These words stand in the text in this order, whatever their case. */
  | { kind: 'ngram'; text: string }
  | { kind: 'equals'; column: string; value: string }
  | { kind: 'atMost'; column: string; value: number }
  | { kind: 'empty'; column: string }

export interface RuleCondition {
  feature: RuleFeature
  /** It must be so; or it must not. */
  holds: boolean
}

/** How often a rule is right, of some rows. */
export interface RuleRecord {
  /** Rows that meet all conditions, and those of them that the model gives the rule's label. */
  rows: number
  hits: number
  /** hits / rows, not a number where there are none */
  precision: number
  /** hits / rows that the model gives this label */
  recall: number
}

export interface Rule {
  /** Index of the label. */
  label: number
  conditions: RuleCondition[]
  /** In the rows learnt from. */
  fit: RuleRecord
  /** In the held-out rows. */
  held: RuleRecord
  /** Lower end of the 95% interval of fit.precision (Wilson): rules are ordered by it. */
  lowerBound: number
}

export interface RuleTreeNode {
  /** Null: a leaf. */
  feature: RuleFeature | null
  /** Nodes where the feature holds and where it does not; -1 in a leaf. */
  yes: number
  no: number
  /** Rows learnt from that come here, by label. */
  counts: number[]
  /** Index of their most frequent label, the first of equals. */
  label: number
}

/** Share of held-out rows where an explanation says what the model says, with its 95% interval (Wilson). */
export interface RuleFidelity {
  agreement: number
  interval: [number, number]
}

export interface RulesResult {
  labels: string[]
  /** Of the dataset, from 0, ascending; with the label that the model gives each, and 1 for those held out. */
  rows: Uint32Array
  predicted: Int32Array
  held: Uint8Array
  /** Features that were looked for. */
  features: number
  /** Node 0 is the root. */
  tree: RuleTreeNode[]
  /** The surest first. Read as a list, the first that fits decides, and `fallback` where none does. */
  rules: Rule[]
  fallback: number
  fidelity: {
    tree: RuleFidelity
    list: RuleFidelity
    /** Always the label that is most frequent in the rows learnt from. */
    majority: RuleFidelity
  }
  seed: number
}

export const IMPORTANCE_METHODS = ['gradientXInput', 'integratedGradients', 'partition'] as const
export type ImportanceMethod = (typeof IMPORTANCE_METHODS)[number]

export interface ImportanceRequest extends DatasetRowsChoice {
  /** How each row is explained; default: 'gradientXInput'. */
  method?: ImportanceMethod
  /** A label whose score is explained in every row; default: in each row the label that the model gives it. */
  output?: string | number
  /** partition: texts asked about for a row (default 100); integratedGradients: points (default 50). */
  samples?: number
  /** Rows that a word must stand in to be listed (default 3, at least 2). */
  least?: number
  /** Words of one label at most (default 30). */
  count?: number
}

export interface WordImportance {
  /** In small letters. */
  word: string
  /** Rows that it stands in. */
  rows: number
  /** Of its score in a row (the sum where it stands there more than once): mean, 95% interval (Student's t), mean of the
   *  absolute value. */
  mean: number
  interval: [number, number]
  meanAbsolute: number
}

export interface ImportanceResult {
  method: ImportanceMethod
  /** Logits, as all scores. */
  labels: {
    name: string
    index: number
    /** Rows that were explained for it. */
    rows: number
    /** Those farthest from 0 by the nearer end of their interval first. */
    words: WordImportance[]
  }[]
  /** Rows that were explained. */
  rows: number
  seed: number
}

export const LABEL_QUALITIES = ['selfConfidence', 'normalisedMargin'] as const
/** How well a row's label fits what the model says: p(label), or (p(label) - the highest other p + 1) / 2. */
export type LabelQuality = (typeof LABEL_QUALITIES)[number]

export interface MistakesRequest extends DatasetRowsChoice {
  /** Default: 'selfConfidence'. */
  method?: LabelQuality
  /** Rows listed at most, in all and for each pair (default 100). */
  count?: number
}

export interface MistakeRow {
  /** Of the dataset, from 0. */
  row: number
  /** Indices of the labels. */
  gold: number
  predicted: number
  /** Of the gold label. */
  probability: number
  /** p(predicted) - p(gold), 0 to 1. */
  margin: number
  /** 0 (the label does not fit) to 1. */
  quality: number
}

export interface ConfusedPair {
  gold: number
  predicted: number
  count: number
  /** Of all rows looked at that have this gold label. */
  share: number
  /** Mean p(predicted) - p(gold). */
  margin: number
  /** The widest margin first. */
  rows: number[]
}

export interface MistakesResult {
  method: LabelQuality
  labels: string[]
  rows: number
  accuracy: number
  /** confusion[gold][predicted] */
  confusion: number[][]
  /** The most frequent first. */
  pairs: ConfusedPair[]
  /** Rows that the model gives another label, the least fitting label first. */
  suspects: MistakeRow[]
  /** Whether the model has learnt from these rows: then it may have learnt wrong labels by heart. Null: not known. */
  seen: boolean | null
  seed: number
}
