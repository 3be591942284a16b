// Every method that says which words count, as a ranking of a text's words: the most important first.
import {
  SHAP_METHODS,
  type SaliencyBaseline,
  type SaliencyMethod,
  type ShapMethod,
  type Unit,
} from '../../../src/protocol/explain.ts'
import type { Target } from '../../../src/protocol/target.ts'
import { EXPLAINERS } from '../../../workers/engine/explain/index.ts'
import { context, type Engine } from './support.ts'

/** Words, the most important first; of a method that names only some, those. */
export type Ranking = (
  e: Engine,
  target: Target,
  text: string,
  output: string,
  contrast: string,
) => Promise<string[]>

/** By size, whatever the sign; words without a score are not named. */
function bySize(units: readonly Unit[], scores: ArrayLike<number>): string[] {
  return units
    .map(({ text }, i) => ({ text, size: Math.abs(scores[i]!) }))
    .filter(({ size }) => size > 0)
    .sort((a, b) => b.size - a.size)
    .map(({ text }) => text)
}

const saliency =
  (method: SaliencyMethod, baseline?: SaliencyBaseline): Ranking =>
  async (e, target, text, output, contrast) => {
    const { units, unitScores } = await EXPLAINERS.saliency(
      e.desk,
      target,
      { text, method, output, contrast, ...(baseline && { baseline }) },
      context(),
    )
    return bySize(units, unitScores)
  }

const shap =
  (method: ShapMethod): Ranking =>
  async (e, target, text, output, contrast) => {
    const { units, values } = await EXPLAINERS.shap(
      e.desk,
      target,
      { text, method, output, contrast },
      context(),
    )
    return bySize(units, values)
  }

export const RANKINGS: Record<string, Ranking> = {
  lime: async (e, target, text, output) => {
    const { units, weights } = await EXPLAINERS.lime(e.desk, target, { text, output }, context())
    return bySize(units, weights)
  },
  ...Object.fromEntries(SHAP_METHODS.map((method) => [`shap ${method}`, shap(method)])),
  anchors: async (e, target, text) => {
    const { path, found, pieces } = await EXPLAINERS.anchors(e.desk, target, { text }, context())
    if (!found) return []
    // In the order in which they were added.
    const order = path.flatMap(({ units }, i) =>
      units.filter((unit) => i > 0 && !path[i - 1]!.units.includes(unit)),
    )
    return order.map((unit) => pieces[unit]!.text)
  },
  counterfactual: async (e, target, text) => {
    const { edits, pieces } = await EXPLAINERS.counterfactual(e.desk, target, { text }, context())
    return edits.length > 0 ? edits[0]!.units.map((unit) => pieces[unit]!.text) : []
  },
  'integratedGradients from the mask': saliency('integratedGradients', 'mask'),
  'integratedGradients from padding': saliency('integratedGradients'),
  gradientNorm: saliency('gradientNorm'),
  smoothGrad: saliency('smoothGrad'),
  gradientXInput: saliency('gradientXInput'),
  attention: async (e, target, text, output) => {
    const { weights, layers, heads, tokens } = await EXPLAINERS.attention(e.desk, target, { text }, context())
    const n = tokens.length
    const mean = Float64Array.from({ length: n * n }, (_, at) => {
      let sum = 0
      for (let map = 0; map < layers * heads; map++) sum += weights[map * n * n + at]!
      return sum / (layers * heads)
    })
    return looked(e, target, text, output, mean, n)
  },
  rollout: async (e, target, text, output) => {
    const { weights, tokens } = await EXPLAINERS.rollout(e.desk, target, { text }, context())
    return looked(e, target, text, output, weights, tokens.length)
  },
}

/** Words by what the token that the answer is read from looks at. */
async function looked(
  e: Engine,
  target: Target,
  text: string,
  output: string,
  map: ArrayLike<number>,
  n: number,
) {
  const { units, output: explained } = await EXPLAINERS.saliency(
    e.desk,
    target,
    { text, method: 'gradientNorm', output },
    context(),
  )
  const row = explained.position * n
  return bySize(
    units,
    units.map(({ from, to }) =>
      Array.from({ length: to - from }, (_, t) => map[row + from + t]!).reduce((a, b) => a + b),
    ),
  )
}
