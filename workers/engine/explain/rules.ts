// graft.explain.rules: rules that say what a classifier does over the rows of a dataset.
import { RULE_DEFAULTS, surrogateRules } from '../../../src/core/explain/rules/surrogate.ts'
import { GraftError } from '../../../src/protocol/errors.ts'
import type { RulesRequest } from '../../../src/protocol/explain.ts'
import { secondsLeft } from '../time.ts'
import { checkCount, checkNumber } from './checks.ts'
import { askedOf, checkDatasetRows, classified, readClassified, type ReadRows } from './classified.ts'
import { withTarget, type Explainer } from './desk.ts'

const ROWS = 1000
const ROWS_LEAST = 20

export const rules: Explainer<'rules'> = async (desk, target, request, context) => {
  check(request)
  const { depth, leaf, ngrams, features, precision, recall, count, seed } = {
    ...RULE_DEFAULTS,
    ...Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)),
  } as Required<RulesRequest>
  return withTarget(desk, target, async (resolved) => {
    const { rows: wanted = ROWS, split = 'train', columns = true } = request
    const read = await readClassified(
      desk,
      resolved,
      request,
      { rows: wanted, split, least: ROWS_LEAST, labelled: false },
      context,
    )
    const { labels, rows } = read
    const { predicted } = await classified(askedOf(desk, resolved), read, context)
    if (new Set(predicted).size < 2)
      throw new GraftError(
        'E_DATASET',
        `The model gives all ${rows.length} rows the label "${labels[predicted[0]!]}", so there is no rule to find. Take more rows, or another part.`,
        { dataset: request.dataset, rows: rows.length },
      )
    const started = performance.now()
    const found = await surrogateRules(rows, predicted, labels.length, {
      depth,
      leaf,
      ngrams,
      features,
      precision,
      recall,
      count,
      seed,
      columns: columns ? otherColumns(read) : [],
      signal: context.signal,
      onClass: (done, total) =>
        context.progress({
          label: 'Looking for rules',
          done,
          total,
          unit: 'items',
          secondsLeft: secondsLeft(started, done, total),
        }),
    })
    return {
      labels,
      rows: Uint32Array.from(rows, ({ index }) => index),
      predicted: Int32Array.from(predicted),
      ...found,
      seed,
    }
  })
}

function check(request: RulesRequest): void {
  checkDatasetRows(request, ROWS_LEAST)
  checkCount('depth', request.depth, 1, 6)
  checkCount('leaf', request.leaf, 1, 10_000)
  checkCount('features', request.features, 1, 5000)
  checkCount('count', request.count, 1, 1000)
  checkNumber('precision', request.precision, 0, 1)
  checkNumber('recall', request.recall, 0, 1)
  const { ngrams } = request
  if (ngrams === undefined) return
  const [from, to] = ngrams
  const whole = [from, to].every((length) => Number.isInteger(length) && length >= 1 && length <= 3)
  if (!whole || from > to)
    throw new GraftError(
      'E_ARGUMENT',
      `ngrams is [from, to], two whole numbers from 1 to 3 in this order, but is ${JSON.stringify(ngrams)}.`,
      { ngrams },
    )
}

/** Columns besides the text and the label. */
function otherColumns({ dataset, taskConfig }: ReadRows) {
  const used = Object.values(taskConfig.columns)
  return dataset.columns.flatMap((column, place) =>
    used.includes(column.name) || column.type === 'empty' ? [] : [{ column, place }],
  )
}
