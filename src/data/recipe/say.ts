// A step of a recipe in words, for datasheets and lists.
import type { RecipeStep, StepReport, Weighed } from '../../protocol/recipe.ts'

const places = (columns: readonly string[] | undefined): string =>
  columns ? columns.join(', ') : 'all columns'
const number = (value: number): string => value.toLocaleString('en')

function shares(wanted: readonly [string, number][] | undefined): string {
  if (!wanted) return ''
  const sum = wanted.reduce((total, [, share]) => total + share, 0)
  return `, to shares of ${wanted.map(([value, share]) => `${value} ${((100 * share) / sum).toFixed(1)}%`).join(', ')}`
}

/** What the step does, in one phrase. */
export function sayStep(step: RecipeStep): string {
  switch (step.kind) {
    case 'normalise': {
      const what = [
        step.controls && 'control characters removed',
        step.form,
        step.quotes && 'straight quotation marks',
        step.case && `${step.case} case`,
        step.space === 'collapse' && 'white space collapsed',
        step.space === 'trim' && 'white space trimmed',
      ].filter((part) => typeof part === 'string')
      return `Normalise ${places(step.columns)}: ${what.join(', ') || 'nothing'}`
    }
    case 'stripHtml':
      return `Strip HTML from ${places(step.columns)}`
    case 'fixMojibake':
      return `Mend broken encodings in ${places(step.columns)}`
    case 'dropMissing':
      return `Drop rows in which ${step.when === 'all' ? 'all' : 'any'} of ${places(step.columns)} ${step.when === 'all' ? 'are' : 'is'} empty`
    case 'fillMissing':
      return `Fill empty cells of ${places(step.columns)} with ${step.with === 'mode' ? 'the most frequent value' : `"${step.with.value}"`}`
    case 'dedupeExact':
      return `Drop exact duplicates by ${places(step.columns)}${step.ignoreCase ? ', whatever their letter case' : ''}, keeping the ${step.keep ?? 'first'}`
    case 'dedupeNear':
      return `Drop near-duplicates by ${places(step.columns)} (Jaccard ${step.threshold ?? 0.8}${step.shingle === undefined ? '' : ` of ${step.shingle} words`}), keeping the ${step.keep ?? 'first'}`
    case 'resolveConflicts': {
      const how = { majority: 'by majority', drop: 'by dropping them', first: 'by the first' }[step.how]
      return `Resolve different values of ${step.label} for the same ${places(step.columns)} ${how}`
    }
    case 'mapLabels':
      return `Rename values of ${step.column}: ${step.map.map(([from, to]) => `${from} to ${to}`).join(', ')}`
    case 'filter':
      return `Keep rows where ${step.where}`
    case 'redact':
      return `Redact ${step.kinds?.join(', ') ?? 'all kinds of personal data'} in ${places(step.columns)}`
    case 'replaceWords': {
      const words = `${step.words.slice(0, 5).join(', ')}${step.words.length > 5 ? ` and ${number(step.words.length - 5)} more` : ''}`
      return step.with
        ? `Write ${step.with} for the words ${words} in ${places(step.columns)}`
        : `Take the words ${words} out of ${places(step.columns)}`
    }
    case 'rebalance':
      return step.method === 'over'
        ? `Repeat rare values of ${step.column} in training${shares(step.shares)}`
        : `Leave out frequent values of ${step.column} in training${shares(step.shares)}`
    case 'weigh': {
      const weights = step.weights?.map(([value, weight]) => `${value} ${weight}`).join(', ')
      if (step.by === 'number') return `Weigh training rows by the number in ${step.column}`
      if (step.by === 'balanced')
        return `Weigh training rows by ${step.column}, so that each value counts the same`
      return `Weigh training rows by ${step.column}: ${weights}`
    }
    case 'derive':
      return `Make column ${step.column} from ${step.template}`
    case 'truncate':
      return `Cut ${places(step.columns)} to ${number(step.limit)} ${step.unit}${step.keep === 'end' ? ', keeping the end' : ''}`
    case 'columns':
      return `${step.how === 'keep' ? 'Keep only' : 'Drop'} the columns ${places(step.columns)}`
    case 'dropRows':
      return `Drop ${number(step.rows.length + (step.made?.length ?? 0))} rows by number`
    case 'edit':
      return `Change ${number(step.edits.length)} cells by hand`
    case 'augment':
      return `Add varied copies of training rows (${step.method} in ${step.column})${step.where === undefined ? '' : ` where ${step.where}`}`
    case 'addRows':
      return `Add ${number(step.rows.length)} rows to training${step.origin === undefined ? '' : ` from ${step.origin}`}`
    default:
      return step satisfies never
  }
}

/** "800 weighed, from 0.37 to 33.3". */
export function sayWeighed({ rows, least, most }: Weighed): string {
  const range = least === most ? `all ${sayWeight(least)}` : `from ${sayWeight(least)} to ${sayWeight(most)}`
  return `${number(rows)} weighed, ${range}`
}

/** Three digits of a weight. */
export function sayWeight(weight: number): string {
  return weight.toLocaleString('en', { maximumSignificantDigits: 3 })
}

/** What it did: "1,000 rows before, 900 after; 100 removed". */
export function sayReport(report: StepReport | null): string {
  if (!report) return 'switched off'
  const parts = [
    report.changed > 0 && `${number(report.changed)} changed`,
    report.removed > 0 && `${number(report.removed)} removed`,
    report.added > 0 && `${number(report.added)} added`,
    report.weighed && sayWeighed(report.weighed),
  ].filter((part) => typeof part === 'string')
  return `${number(report.before)} rows before, ${number(report.after)} after; ${parts.join(', ') || 'nothing to do'}`
}
