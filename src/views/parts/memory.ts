// The parts of a memory estimate in words and as a bar: shares of what is drawn, and where the device's budget lies.
import { PRECISIONS, type Fit, type MemoryEstimate, type Precision } from '../../protocol/model.ts'

type Part = keyof MemoryEstimate['parts']

export const PARTS: Record<Part, { label: string; help: string; colour: string }> = {
  weights: {
    label: 'Base weights',
    help: 'The frozen base itself, in the precision that was chosen.',
    colour: 'var(--series-1)',
  },
  trainable: {
    label: 'Trained values',
    help: 'What is trained, its gradient and the two running means of AdamW.',
    colour: 'var(--series-3)',
  },
  inputs: {
    label: 'Kept inputs',
    help: 'The input of every block, kept for the way back. Grows with batch size and length.',
    colour: 'var(--series-2)',
  },
  block: {
    label: 'One block at work',
    help: 'Everything alive inside one block, there and back. Grows with batch size and length.',
    colour: 'var(--series-4)',
  },
  head: {
    label: 'Output head',
    help: 'Scores of the next token, in tiles: they never exist for all tokens at once.',
    colour: 'var(--text-2)',
  },
  slack: {
    label: 'Reserve',
    help: 'What pools and allocators hold beyond that.',
    colour: 'var(--line-strong)',
  },
}

/** The words of a fit, and a tone that repeats them. */
export const FITS: Record<Fit, { label: string; tone: 'good' | 'warn' | 'bad' }> = {
  fits: { label: 'Fits', tone: 'good' },
  tight: { label: 'Tight', tone: 'warn' },
  tooLarge: { label: 'Does not fit', tone: 'bad' },
}

export interface Segment {
  part: Part
  bytes: number
  /** From 0 to 1 of the drawn width. */
  start: number
  width: number
}

export interface MemoryScene {
  segments: Segment[]
  /** Where the budget lies, from 0 to 1. */
  budget: number
  bytes: number
}

/** Room to the right of whatever is longest, so that its end is seen. */
const MARGIN = 1.06

/** What stands where: parts in their order from the left, the budget as a mark. */
export function memoryScene(estimate: Pick<MemoryEstimate, 'parts' | 'budget'>): MemoryScene {
  const parts = Object.keys(PARTS) as Part[]
  const bytes = parts.reduce((sum, part) => sum + estimate.parts[part], 0)
  const whole = Math.max(bytes, estimate.budget, 1) * MARGIN
  let start = 0
  const segments = parts.map((part) => {
    const width = estimate.parts[part] / whole
    const segment = { part, bytes: estimate.parts[part], start, width }
    start += width
    return segment
  })
  return { segments, budget: estimate.budget / whole, bytes }
}

/** The precision that Graft would take: the most exact one that fits, else one that barely does, else the smallest. */
export function recommendedOf({ byPrecision }: Pick<MemoryEstimate, 'byPrecision'>): Precision {
  const first = (fit: Fit) => PRECISIONS.find((precision) => byPrecision[precision].fit === fit)
  return first('fits') ?? first('tight') ?? 'nf4'
}

/** The same estimate in another precision: only the frozen weights differ. */
export function inPrecision(estimate: MemoryEstimate, precision: Precision): MemoryEstimate {
  const { bytes, fit } = estimate.byPrecision[precision]
  const weights = estimate.parts.weights + bytes - estimate.bytes
  return { ...estimate, precision, bytes, fit, parts: { ...estimate.parts, weights } }
}
