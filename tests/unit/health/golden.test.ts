// The algorithms of the health report against datasketch, cleanlab, ftfy, scipy and numpy (tools/golden/data/health.py).
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Buckets } from '../../../src/data/health/buckets.ts'
import { evenness } from '../../../src/data/health/classes.ts'
import { labelIssues } from '../../../src/data/health/confident.ts'
import { normalQuantile, wilson } from '../../../src/data/health/intervals.ts'
import { logOdds } from '../../../src/data/health/logOdds.ts'
import { bandingFor, jaccard, MinHasher, shingles } from '../../../src/data/health/minhash.ts'
import { centre } from '../../../src/data/health/outliers.ts'
import { hasMojibake } from '../../../src/data/mojibake.ts'

interface Golden {
  minhash: { a: string; b: string; jaccard: number; datasketch: boolean }[]
  confident: { classes: number; labels: number[]; probabilities: number[]; issues: number[] }[]
  logOdds: { prior: number; counts: number[][]; totals: number[]; z: number[][] }
  encodings: {
    broken: { text: string; meant: string; ftfy: string }[]
    clean: { text: string; ftfy: string }[]
  }
  statistics: {
    wilson: [number, number, number, number][]
    quantiles: [number, number][]
    evenness: [number[], number][]
    mad: [number[], number, number][]
  }
}
const golden = JSON.parse(
  readFileSync(new URL('../../golden/data/health.json', import.meta.url), 'utf8'),
) as Golden

describe('MinHash', () => {
  const sets = golden.minhash.flatMap(({ a, b }) => [shingles(a.split(' '), 1), shingles(b.split(' '), 1)])

  it('has the true similarities', () => {
    for (const [i, pair] of golden.minhash.entries())
      expect(jaccard(sets[2 * i]!, sets[2 * i + 1]!)).toBeCloseTo(pair.jaccard, 6)
  })
  it('finds at least 95% of the pairs from 0.8 on, and at least what datasketch finds', async () => {
    const hasher = new MinHasher(bandingFor(0.8), 42)
    const { bands } = hasher.banding
    const keys = new Uint32Array(sets.length * bands)
    for (const [i, set] of sets.entries()) keys.set(hasher.keys(set), i * bands)
    const buckets = await Buckets.link(
      keys,
      bands,
      () => true,
      () => Promise.resolve(),
    )
    const found = new Set<number>()
    let compared = 0
    for (let right = 0; right < sets.length; right++) {
      const earlier = buckets.earlier(right)
      compared += earlier.number
      if (right % 2 === 1 && earlier.found.subarray(0, earlier.number).includes(right - 1))
        found.add((right - 1) / 2)
    }
    const above = golden.minhash.map((pair, i) => ({ ...pair, i })).filter((pair) => pair.jaccard >= 0.8)
    const recall = above.filter(({ i }) => found.has(i)).length / above.length
    expect(above.length).toBeGreaterThan(240)
    expect(recall).toBeGreaterThanOrEqual(0.95)
    expect(recall).toBeGreaterThanOrEqual(above.filter(({ datasketch }) => datasketch).length / above.length)
    // Different texts are not all compared: there are 244,650 pairs.
    expect(compared).toBeLessThan(2000)
  })
})

describe('confident learning', () => {
  it.each(golden.confident.map((one) => [one.classes, one] as const))(
    'names the rows that cleanlab names, with %i classes',
    (classes, { labels, probabilities, issues }) => {
      const { rows } = labelIssues({
        labels: Int32Array.from(labels),
        probabilities: Float32Array.from(probabilities),
        classes,
      })
      expect(issues.length).toBeGreaterThan(5)
      expect(rows).toEqual(issues)
    },
  )
})

it('log-odds are those of numpy', () => {
  const { counts, totals, prior, z } = golden.logOdds
  const data = { counts: Float64Array.from(counts.flat()), classes: 4, totals: Float64Array.from(totals) }
  for (const [label, expected] of z.entries()) {
    const ours = logOdds(data, label, prior)
    expect(ours).toHaveLength(expected.length)
    for (const [i, value] of expected.entries()) expect(ours[i]).toBeCloseTo(value, 9)
  }
})

describe('broken encodings', () => {
  it('finds nearly all that ftfy mends', () => {
    const mended = golden.encodings.broken.filter(({ text, ftfy }) => ftfy !== text)
    expect(mended.length).toBeGreaterThan(45)
    const missed = mended.filter(({ text }) => !hasMojibake(text)).map(({ text }) => text)
    expect(missed.length / mended.length, missed.join(' ')).toBeLessThanOrEqual(0.02)
  })
  it.each(golden.encodings.clean.map(({ text }) => text))('leaves "%s" alone', (text) => {
    expect(hasMojibake(text)).toBe(false)
  })
})

describe('statistics', () => {
  it('are those of scipy', () => {
    const { wilson: shares, quantiles, evenness: entropies, mad } = golden.statistics
    for (const [count, of, low, high] of shares) {
      expect(wilson(count, of).low).toBeCloseTo(low, 9)
      expect(wilson(count, of).high).toBeCloseTo(high, 9)
    }
    for (const [p, expected] of quantiles)
      expect(Math.abs(normalQuantile(p) - expected)).toBeLessThan(1e-8 * Math.max(1, Math.abs(expected)))
    for (const [counts, expected] of entropies) expect(evenness(counts)).toBeCloseTo(expected, 12)
    for (const [values, median, deviation] of mad)
      expect(centre(Float32Array.from(values))).toEqual({ median, mad: deviation })
  })
})
