// graft.explain.importance: the words that a classifier's answers hang on, over many rows.
import { wordImportance, wordScores } from '../../../src/core/explain/dataset/importance.ts'
import { SALIENCY_DEFAULTS, saliency } from '../../../src/core/explain/saliency.ts'
import { sumsByUnit, unitsOf } from '../../../src/core/explain/units.ts'
import { textGame } from '../../../src/core/explain/game.ts'
import { masking } from '../../../src/core/explain/masking.ts'
import { partitionShap, partitionLeast } from '../../../src/core/explain/shap/partition.ts'
import { treeOf } from '../../../src/core/explain/shap/tree.ts'
import { answerPosition, type Subject } from '../../../src/core/explain/subject.ts'
import { throwIfAborted } from '../../../src/protocol/errors.ts'
import { IMPORTANCE_METHODS, type ImportanceMethod, type Unit } from '../../../src/protocol/explain.ts'
import { secondsLeft } from '../time.ts'
import { checkCount, checkOneOf } from './checks.ts'
import { askedOf, checkDatasetRows, classified, readClassified } from './classified.ts'
import { outputIndex, withTarget, type Explainer } from './desk.ts'

const ROWS = 100
const LEAST = 3
const COUNT = 30
/** Of Partition SHAP, a row. */
const SAMPLES = 100
const SAMPLES_LIMIT = 10_000

export const importance: Explainer<'importance'> = async (desk, target, request, context) => {
  const { method = 'gradientXInput', split = 'train', rows: wanted = ROWS, seed = 0 } = request
  const { least = LEAST, count = COUNT, samples } = request
  checkDatasetRows(request, LEAST)
  checkOneOf('method', method, IMPORTANCE_METHODS)
  checkCount('samples', samples, 4, SAMPLES_LIMIT)
  checkCount('least', least, 2, 10_000)
  checkCount('count', count, 1, 10_000)
  return withTarget(desk, target, async (resolved) => {
    const read = await readClassified(
      desk,
      resolved,
      request,
      { rows: wanted, split, least: LEAST, labelled: false },
      context,
    )
    const { labels, rows } = read
    const chosen = outputIndex(request.output, { ...resolved, labels }, labels.length)
    const asked = askedOf(desk, resolved)
    const explained =
      chosen === null ? (await classified(asked, read, context)).predicted : rows.map(() => chosen)
    const texts = labels.map((): Map<string, number>[] => [])
    const started = performance.now()
    const { tokenizer } = resolved.base
    for (const [row, { ids }] of rows.entries()) {
      throwIfAborted(context.signal)
      const index = explained[row]!
      const tokens = tokenizer.tokens(ids)
      const fixed = Uint8Array.from(ids, (id) => Number(tokenizer.isSpecial(id)))
      const subject: Subject = {
        ...asked,
        ids,
        fixed,
        explained: { index, contrast: null, position: answerPosition(asked, ids.length) },
      }
      const units = unitsOf(tokens, fixed, 'word')
      if (units.length > 0) {
        const scores = await scoresOf(method, subject, tokens, units, samples, context.signal)
        texts[index]!.push(wordScores(units, scores))
      }
      context.progress({
        label: 'Weighing words',
        done: row + 1,
        total: rows.length,
        unit: 'rows',
        secondsLeft: secondsLeft(started, row + 1, rows.length),
      })
    }
    return {
      method,
      labels: labels.flatMap((name, index) => {
        const of = texts[index]!
        return of.length === 0
          ? []
          : [{ name, index, rows: of.length, words: wordImportance(of, least, count) }]
      }),
      rows: rows.length,
      seed,
    }
  })
}

/** A number a word of one text. */
async function scoresOf(
  method: ImportanceMethod,
  subject: Subject,
  tokens: readonly string[],
  units: Unit[],
  samples: number | undefined,
  signal: AbortSignal,
): Promise<Float64Array> {
  if (method !== 'partition') {
    // Never more than that: there are many rows.
    const points = samples ?? SALIENCY_DEFAULTS.integratedGradients.samples
    const { scores } = await saliency(subject, { method, samples: points, signal })
    return sumsByUnit(scores, units)
  }
  const game = textGame(subject, masking(subject, units), 'logit', { signal })
  const budget = Math.max(samples ?? SAMPLES, partitionLeast(units.length))
  const tree = treeOf(units, [unitsOf(tokens, subject.fixed, 'sentence')])
  return (await partitionShap(game, tree, { samples: budget, signal })).values
}
