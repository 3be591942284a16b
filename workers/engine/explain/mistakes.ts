// graft.explain.mistakes: labels that are confused, and rows whose label does not fit what the classifier says.
import { mistakesOf } from '../../../src/core/explain/dataset/mistakes.ts'
import { LABEL_QUALITIES } from '../../../src/protocol/explain.ts'
import { checkCount, checkOneOf } from './checks.ts'
import { askedOf, checkDatasetRows, classified, readClassified } from './classified.ts'
import { withTarget, type Explainer } from './desk.ts'

const ROWS = 1000
const COUNT = 100

export const mistakes: Explainer<'mistakes'> = async (desk, target, request, context) => {
  const { method = 'selfConfidence', split = 'test', rows: wanted = ROWS, count = COUNT, seed = 0 } = request
  checkDatasetRows(request, 1)
  checkOneOf('method', method, LABEL_QUALITIES)
  checkCount('count', count, 1, 10_000)
  return withTarget(desk, target, async (resolved) => {
    const read = await readClassified(
      desk,
      resolved,
      request,
      { rows: wanted, split, least: 1, labelled: true },
      context,
    )
    const { labels, rows } = read
    const { probabilities } = await classified(askedOf(desk, resolved), read, context)
    const judged = {
      rows: rows.map(({ index }) => index),
      gold: rows.map(({ gold }) => gold),
      probabilities,
    }
    return {
      method,
      labels,
      rows: rows.length,
      ...mistakesOf(judged, labels.length, method, count),
      seen:
        resolved.run === null ? null : resolved.run.config.dataset === read.dataset.id && split === 'train',
      seed,
    }
  })
}
