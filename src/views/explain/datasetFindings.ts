// What the Dataset tab asks, one thing after the other, each shown as soon as it is there.
import type { GraftApi } from '../../protocol/api.ts'
import type { SplitName } from '../../protocol/data.ts'
import type {
  ImportanceMethod,
  ImportanceResult,
  MistakesResult,
  RulesResult,
} from '../../protocol/explain.ts'
import type { CallOptions } from '../../protocol/progress.ts'
import type { Target } from '../../protocol/target.ts'

export const ROWS_LEAST = 20
export const ROWS_MOST = 20_000
const ROWS = 500
/** A gradient for each row: more would take minutes on a CPU. */
const WORD_ROWS = 100

export const IMPORTANCE_NAMES: Record<ImportanceMethod, string> = {
  gradientXInput: 'Gradient × input',
  integratedGradients: 'Integrated gradients',
  partition: 'Partition SHAP',
}

export interface DatasetChoice {
  dataset: string
  split: SplitName
  rows?: number
  method: ImportanceMethod
  /** Of tree and rules. */
  depth: number
}

/** Which rows a figure is about, as its files say it. */
export interface RowsOf {
  dataset: string
  part: SplitName
}

export interface DatasetFindings {
  dataset: string
  split: SplitName
  mistakes?: MistakesResult
  importance?: ImportanceResult
  rules?: RulesResult
}

export async function askDataset(
  api: Pick<GraftApi, 'explain'>,
  target: Target,
  { dataset, split, rows = ROWS, method, depth }: DatasetChoice,
  onFound: (findings: DatasetFindings) => void,
  options: CallOptions,
): Promise<void> {
  let found: DatasetFindings = { dataset, split }
  const say = (more: Partial<DatasetFindings>) => onFound((found = { ...found, ...more }))
  const choice = { dataset, split, rows }
  say({ mistakes: await api.explain.mistakes(target, choice, options) })
  const few = { ...choice, rows: Math.min(rows, WORD_ROWS), method }
  say({ importance: await api.explain.importance(target, few, options) })
  say({ rules: await api.explain.rules(target, { ...choice, depth }, options) })
}
