// Attention weights [L, H, T, T] as matrices to draw: one head, the mean of a layer's heads, of all layers, or of all.
import type { AttentionResult } from '../protocol/explain.ts'
import type { Matrix } from './heatmap.ts'

/** A layer and a head, each a number from 0 or the mean over all. */
export interface HeadChoice {
  layer: number | 'mean'
  head: number | 'mean'
}

/** The [T, T] matrix of a choice. A single head is a view into the result, a mean is a new array. */
export function attentionMatrix(
  { weights, layers, heads, tokens }: AttentionResult,
  choice: HeadChoice,
): Matrix {
  const size = tokens.length
  const cells = size * size
  if (choice.layer !== 'mean' && choice.head !== 'mean') {
    const start = (choice.layer * heads + choice.head) * cells
    return { rows: size, columns: size, values: weights.subarray(start, start + cells) }
  }
  const layerList = choice.layer === 'mean' ? range(layers) : [choice.layer]
  const headList = choice.head === 'mean' ? range(heads) : [choice.head]
  const values = new Float32Array(cells)
  for (const layer of layerList)
    for (const head of headList) {
      const start = (layer * heads + head) * cells
      for (let index = 0; index < cells; index++) values[index]! += weights[start + index]!
    }
  const share = 1 / (layerList.length * headList.length)
  for (let index = 0; index < cells; index++) values[index]! *= share
  return { rows: size, columns: size, values }
}

export function choiceName({ layer, head }: HeadChoice): string {
  if (layer === 'mean' && head === 'mean') return 'Mean of all layers and heads'
  if (layer === 'mean') return `Head ${Number(head) + 1}, mean of all layers`
  if (head === 'mean') return `Layer ${layer + 1}, mean of its heads`
  return `Layer ${layer + 1}, head ${head + 1}`
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index)
}
