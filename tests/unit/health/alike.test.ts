// Texts that are alike: the buckets against a plain list of pairs, looks that hold little against one that holds all, and
// tables made so that everything is like everything. What is held is counted by what the arrays are long, not by a reading
// of the process.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AlikeTexts } from '../../../src/data/health/alikeTexts.ts'
import { Buckets, NEIGHBOURS } from '../../../src/data/health/buckets.ts'
import { hashesOf } from '../../../src/data/health/hash.ts'
import { jaccard, shingles, similarity } from '../../../src/data/health/minhash.ts'

const BANDS = 20
const calm = (): Promise<void> => Promise.resolve()

/** The earlier texts of each text, found by looking at every bucket. */
function plainly(keys: Uint32Array, bands: number, takes: (text: number) => boolean): number[][] {
  const found = Array.from({ length: keys.length / bands }, () => new Set<number>())
  for (let band = 0; band < bands; band++) {
    const buckets = new Map<number, number[]>()
    for (let text = 0; text < found.length; text++) {
      if (!takes(text)) continue
      const bucket = buckets.get(keys[text * bands + band]!) ?? []
      if (bucket.length > 0)
        for (const other of [bucket[0]!, ...bucket.slice(-NEIGHBOURS)]) found[text]!.add(other)
      bucket.push(text)
      buckets.set(keys[text * bands + band]!, bucket)
    }
  }
  return found.map((of) => [...of].sort((a, b) => a - b))
}

describe('buckets', () => {
  it('know of each text the ones before it and the first, in every band', async () => {
    const tables = fc.record({
      bands: fc.integer({ min: 1, max: 4 }),
      // Few keys, so that buckets are long; at both ends of their range.
      keys: fc.array(fc.constantFrom(0, 1, 2, 0xfffffffe, 0xffffffff), { minLength: 4, maxLength: 400 }),
      absent: fc.integer({ min: 2, max: 9 }),
    })
    await fc.assert(
      fc.asyncProperty(tables, async ({ bands, keys, absent }) => {
        const all = Uint32Array.from(keys.slice(0, keys.length - (keys.length % bands)))
        const takes = (text: number): boolean => text % absent !== 1
        const expected = plainly(all, bands, takes)
        const buckets = await Buckets.link(all.slice(), bands, takes, calm)
        for (let text = 0; text < expected.length; text++) {
          if (!takes(text)) continue
          const { found, number } = buckets.earlier(text)
          expect([...found.subarray(0, number)].sort((a, b) => a - b)).toEqual(expected[text])
        }
      }),
      { numRuns: 300 },
    )
  })

  it('take 100 bytes a text at most, and linear time, where one bucket holds everything', async () => {
    const texts = 200_000
    const buckets = await Buckets.link(new Uint32Array(texts * BANDS).fill(7), BANDS, () => true, calm)
    expect(buckets.bytes / texts).toBeLessThanOrEqual(100)
    let candidates = 0
    for (let text = 0; text < texts; text++) candidates += buckets.earlier(text).number
    // Of the first five texts there are fewer.
    expect(candidates).toBe((NEIGHBOURS + 1) * texts - 15)
  })
})

describe('similarity', () => {
  it('is that of the sets, or 0 below the least', () => {
    const set = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(set, set, fc.constantFrom(0.5, 0.8, 0.9, 1), (a, b, least) => {
        const [left, right] = [Uint32Array.from(a).sort(), Uint32Array.from(b).sort()]
        const shared = a.filter((one) => b.includes(one)).length
        const expected = shared / (a.length + b.length - shared)
        expect(jaccard(left, right)).toBe(expected)
        const padded = Uint32Array.from([9, 9, ...left, 9])
        const found = similarity(padded, 2, 2 + left.length, right, least)
        expect(found >= least ? found : 0).toBe(expected >= least ? expected : 0)
      }),
      { numRuns: 2000 },
    )
  })
})

const WORDS = 'order parcel late refund card account please where when still waiting since again'.split(' ')
/** Texts of 14 words, that is 12 shingles; those of a family differ in the last one. */
const textOf = (family: number, last: number): string[] => [
  ...WORDS.map((word) => `${word}${family}`),
  `n${last}`,
]

/** All pairs of a list of texts, as the further looks tell them. */
async function pairsOf(texts: readonly string[][], held?: number) {
  const alike = new AlikeTexts({
    threshold: 0.8,
    shingle: 3,
    seed: 42,
    texts: texts.length,
    ...(held ? { held } : {}),
  })
  for (const [i, words] of texts.entries()) alike.add(i, hashesOf(words))
  const looks = await alike.compare(calm)
  const pairs: [number, number, number][] = []
  let most = 0
  for (let look = 0; look < looks; look++) {
    alike.begin(look)
    for (const [i, words] of texts.entries())
      alike.again(
        i,
        () => hashesOf(words),
        (left, right, like) => pairs.push([left, right, like]),
      )
    most = Math.max(most, alike.bytes)
  }
  return { looks, pairs, held: alike.mostHeld, bytes: most }
}

describe('alike texts', () => {
  it('are found with their true similarity, the later one last', async () => {
    const texts = Array.from({ length: 300 }, (_, i) => textOf(i % 30, Math.floor(i / 30)))
    const { pairs, looks } = await pairsOf(texts)
    expect(looks).toBe(1)
    for (const [left, right, like] of pairs) {
      expect(right % 30).toBe(left % 30)
      expect(left).toBeLessThan(right)
      expect(like).toBe(jaccard(shingles(texts[left]!, 3), shingles(texts[right]!, 3)))
    }
    // 11 of 13 shingles are the same: every text but the first of a family is like some earlier one.
    expect(new Set(pairs.map(([, right]) => right)).size).toBe(270)
    expect(new Set(pairs.map(([left, right]) => `${left} ${right}`)).size).toBe(pairs.length)
  })

  it('are the same where shingles are held a few at a time, look after look', async () => {
    // Each text is like the one half a table later, so that half of them wait at once: 12 shingles each.
    const texts = Array.from({ length: 1000 }, (_, i) => textOf(i % 500, i < 500 ? 0 : 1))
    const whole = await pairsOf(texts)
    expect([whole.looks, whole.held]).toEqual([1, 500 * 12])
    const narrow = await pairsOf(texts, 1500)
    expect(narrow.looks).toBe(4)
    expect(narrow.held).toBeLessThanOrEqual(1500)
    expect(new Set(whole.pairs.map(([left]) => left)).size).toBe(500)
    expect(narrow.pairs.toSorted((a, b) => a[1] - b[1])).toEqual(whole.pairs.toSorted((a, b) => a[1] - b[1]))
  })

  it('take 112 bytes a text and hold few shingles where 200,000 are nearly the same', async () => {
    const texts = 200_000
    const alike = new AlikeTexts({ threshold: 0.8, shingle: 3, seed: 42, texts })
    const hashes = hashesOf(textOf(1, 0))
    const hashed = (i: number): Uint32Array => {
      hashes[13] = i
      return hashes
    }
    for (let i = 0; i < texts; i++) alike.add(i, hashed(i))
    expect(await alike.compare(calm)).toBe(1)
    alike.begin(0)
    const found = new Uint8Array(texts)
    let compared = 0
    for (let i = 0; i < texts; i++)
      alike.again(
        i,
        () => hashed(i),
        (_, right) => {
          compared++
          found[right] = 1
        },
      )
    expect(found.reduce((sum, one) => sum + one, 0)).toBe(texts - 1)
    // A text meets five in a bucket, the same in most of its twenty.
    expect(compared / texts).toBeLessThan(BANDS * (NEIGHBOURS + 1))
    expect(alike.bytes / texts).toBeLessThanOrEqual(112)
    expect(alike.mostHeld / texts).toBeLessThan(1)
  })
})
