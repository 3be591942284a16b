// Confident learning (Northcutt, Jiang & Chuang 2021): how many labels of each class are wrong is estimated from
// probabilities that the model gives to rows it has not learnt from, and of each class as many rows as that are named,
// those first whose own label the model believes least. Equal to cleanlab's `find_label_issues(filter_by='prune_by_class')`.

/** Probabilities of rows, one row after the other: [rows, classes]. */
export interface OutOfFold {
  labels: Int32Array
  probabilities: Float32Array
  classes: number
}

/** Mean probability of a class among the rows that carry its label; rows at or above it count as confidently of it. */
export function thresholds({ labels, probabilities, classes }: OutOfFold): Float64Array {
  const sums = new Float64Array(classes)
  const counts = new Float64Array(classes)
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row]!
    sums[label]! += probabilities[row * classes + label]!
    counts[label]!++
  }
  // A class without rows can never be confident.
  return sums.map((sum, c) => (counts[c]! === 0 ? Infinity : sum / counts[c]!))
}

/** The class that a row confidently is of: the most probable among those at their threshold; -1 for none. */
export function confidentClass(row: Float32Array, limits: Float64Array): number {
  let best = -1
  for (let c = 0; c < limits.length; c++)
    if (row[c]! >= limits[c]! - 1e-6 && (best < 0 || row[c]! > row[best]!)) best = c
  return best
}

/**
 * Joint counts of given label and confident class, [given, true], scaled so that each given label has its number of
 * rows; a label without any confident row counts as right.
 */
export function confidentJoint(data: OutOfFold, limits: Float64Array): Float64Array {
  const { labels, probabilities, classes } = data
  const joint = new Float64Array(classes * classes)
  const given = new Float64Array(classes)
  for (let row = 0; row < labels.length; row++) {
    const label = labels[row]!
    given[label]!++
    const sure = confidentClass(probabilities.subarray(row * classes, (row + 1) * classes), limits)
    if (sure >= 0) joint[label * classes + sure]!++
  }
  for (let label = 0; label < classes; label++) {
    // cleanlab counts a class without any confident row as one right row.
    if (joint[label * classes + label] === 0) joint[label * classes + label] = 1
    let sum = 0
    for (let c = 0; c < classes; c++) sum += joint[label * classes + c]!
    for (let c = 0; c < classes; c++) joint[label * classes + c]! *= given[label]! / sum
  }
  return joint
}

/** Wrong labels estimated for each class. */
export function wrongByClass(joint: Float64Array, classes: number): number[] {
  return Array.from({ length: classes }, (_, label) => {
    let others = 0
    for (let c = 0; c < classes; c++) if (c !== label) others += joint[label * classes + c]!
    return others
  })
}

/** Rows that are likely mislabelled, in their order. */
export function labelIssues(data: OutOfFold): { rows: number[]; limits: Float64Array; cuts: Float64Array } {
  const { labels, probabilities, classes } = data
  const limits = thresholds(data)
  const wrong = wrongByClass(confidentJoint(data, limits), classes)
  const members: number[][] = Array.from({ length: classes }, () => [])
  for (let row = 0; row < labels.length; row++) members[labels[row]!]!.push(row)
  const own = (row: number): number => probabilities[row * classes + labels[row]!]!
  /** Probability of the own label below which a row of the class is named. */
  const cuts = new Float64Array(classes)
  const rows: number[] = []
  for (let label = 0; label < classes; label++) {
    const of = members[label]!
    // One row of each class stays.
    const number = Math.min(Math.round(wrong[label]!), Math.max(0, of.length - 1))
    if (number === 0) continue
    const sorted = of.toSorted((a, b) => own(a) - own(b))
    cuts[label] = own(sorted[number]!)
    rows.push(
      ...of.filter((row) => own(row) < cuts[label]! && mostLikely(probabilities, row, classes) !== label),
    )
  }
  return { rows: rows.sort((a, b) => a - b), limits, cuts }
}

function mostLikely(probabilities: Float32Array, row: number, classes: number): number {
  let best = 0
  for (let c = 1; c < classes; c++)
    if (probabilities[row * classes + c]! > probabilities[row * classes + best]!) best = c
  return best
}
