// Dataset cartography (Swayamdipta et al. 2020, arXiv 2009.10795): where each training row lies by how sure the model was of
// it over the epochs, and how much that changed. Sure and steady rows are easy, those that it wavers about ambiguous, and
// those that it never came to believe hard: among them are most wrong labels.

/** Epochs in which a row must have been met: a deviation of fewer says nothing. */
export const LEAST_EPOCHS = 3
/** A language model has learnt a text in an epoch where it gave its tokens this geometric mean probability or more. */
export const LEARNT_TEXT = 0.5
/** Share of the rows that the paper's ambiguous region takes. */
const AMBIGUOUS_SHARE = 1 / 3
/** What parts easy rows from hard ones. */
const EASY_FROM = 0.5

export interface EpochNumbers {
  /** By place: probability of the row's own label or text; not a number where it was not met. */
  gold: ArrayLike<number>
  /** By place: the most likely class; null of a language model. */
  predicted: ArrayLike<number> | null
}

/** Arrays go by the rows that were met often enough, in the order of their places. */
export interface Cartography {
  places: Int32Array
  /** Epochs in which each was met. */
  epochs: Uint16Array
  /** Mean over epochs of the probability of the row's own label or text. */
  confidence: Float64Array
  /** Its population standard deviation, at most 0.5. */
  variability: Float64Array
  /** Share of epochs in which the row's own label was the most likely (texts: LEARNT_TEXT). */
  correctness: Float64Array
  /** Index into ROW_REGIONS. */
  region: Uint8Array
  /** Rows whose correctness is 0. */
  neverLearnt: number
  /** Rows that were met, but in fewer epochs. */
  tooFew: number
}

/** `labels`: by place the class of each row; null for a language model. */
export function cartographyOf(
  epochs: readonly EpochNumbers[],
  labels: ArrayLike<number> | null,
  least = LEAST_EPOCHS,
): Cartography {
  const rows = epochs[0]?.gold.length ?? 0
  const places: number[] = []
  const met: number[] = []
  const confidence: number[] = []
  const variability: number[] = []
  const correctness: number[] = []
  let tooFew = 0
  for (let place = 0; place < rows; place++) {
    const own = epochs.filter(({ gold }) => !Number.isNaN(gold[place]!))
    if (own.length < least) {
      if (own.length > 0) tooFew++
      continue
    }
    const mean = own.reduce((sum, { gold }) => sum + gold[place]!, 0) / own.length
    const square = own.reduce((sum, { gold }) => sum + (gold[place]! - mean) ** 2, 0) / own.length
    const right = own.filter(({ gold, predicted }) =>
      predicted && labels ? predicted[place] === labels[place] : gold[place]! >= LEARNT_TEXT,
    )
    places.push(place)
    met.push(own.length)
    confidence.push(mean)
    variability.push(Math.sqrt(square))
    correctness.push(right.length / own.length)
  }
  return {
    places: Int32Array.from(places),
    epochs: Uint16Array.from(met),
    confidence: Float64Array.from(confidence),
    variability: Float64Array.from(variability),
    correctness: Float64Array.from(correctness),
    region: regionsOf(confidence, variability),
    neverLearnt: correctness.filter((share) => share === 0).length,
    tooFew,
  }
}

/** The third of the rows that varied most is ambiguous, as the paper takes it; the others by their confidence. */
function regionsOf(confidence: readonly number[], variability: readonly number[]): Uint8Array {
  const order = variability.map((_, i) => i).sort((a, b) => variability[b]! - variability[a]! || a - b)
  const ambiguous = new Set(order.slice(0, Math.floor(order.length * AMBIGUOUS_SHARE)))
  return Uint8Array.from(confidence, (mean, i) => (ambiguous.has(i) ? 1 : mean >= EASY_FROM ? 0 : 2))
}
