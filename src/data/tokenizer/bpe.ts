// Byte-pair encoding: letters, then the merge of the lowest rank that applies, the leftmost of equals, until none does.
// Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units"; details (unknown letters, bytes for
// letters that are not in the vocabulary) as the `tokenizers` package has them.
import { count, flag, list, optionalText, unsupported, vocabulary, type Json } from './json.ts'
import { MinHeap } from './minHeap.ts'
import type { Model } from './models.ts'

/** Pieces whose ids are kept, and how long they may be. */
const REMEMBERED = 10_000
const REMEMBERED_LENGTH = 256
/** More letters than any piece has: positions and ranks share one number. */
const POSITIONS = 2 ** 28

export function makeBpe(json: Json): Model {
  const ids = vocabulary(json.vocab)
  if (typeof json.dropout === 'number' && json.dropout > 0)
    throw unsupported('it drops merges at random (dropout), so that a text has no one list of ids')
  const prefix = optionalText(json.continuing_subword_prefix, 'prefix') ?? ''
  const suffix = optionalText(json.end_of_word_suffix, 'suffix') ?? ''
  const merges = readMerges(json.merges, ids, prefix)
  const unknownToken = optionalText(json.unk_token, 'unknown token')
  const unknown = unknownToken === undefined ? undefined : ids.get(unknownToken)
  const fuse = flag(json.fuse_unk, false)
  const whole = flag(json.ignore_merges, false)
  const bytes = flag(json.byte_fallback, false)
    ? Array.from({ length: 256 }, (_, byte) =>
        ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
      )
    : undefined
  const known = new Map<string, number[]>()
  const encoder = new TextEncoder()

  /** Ids of the letters. */
  const letters = (piece: string): number[] => {
    const out: number[] = []
    let pending = false
    const flush = (): void => {
      if (pending) out.push(unknown!)
      pending = false
    }
    let at = 0
    for (const char of piece) {
      const last = at + char.length === piece.length
      const letter = (at > 0 ? prefix : '') + char + (last ? suffix : '')
      at += char.length
      const id = ids.get(letter)
      if (id !== undefined) {
        flush()
        out.push(id)
        continue
      }
      const spelt = bytes && Array.from(encoder.encode(letter), (byte) => bytes[byte])
      if (spelt?.every((byte) => byte !== undefined)) out.push(...spelt)
      else if (unknown !== undefined) {
        if (!fuse) flush()
        pending = true
      }
    }
    flush()
    return out
  }

  return {
    vocabulary: ids,
    encode(piece) {
      const own = whole ? ids.get(piece) : undefined
      if (own !== undefined) return [own]
      let found = known.get(piece)
      if (!found) {
        found = merge(letters(piece), merges)
        if (piece.length < REMEMBERED_LENGTH) {
          if (known.size === REMEMBERED) known.clear()
          known.set(piece, found)
        }
      }
      return found
    },
  }
}

interface Merges {
  /** Ids above any in use: a pair is left * base + right. */
  base: number
  ranks: Map<number, number>
  /** What the merge of each rank makes. */
  made: number[]
}

function readMerges(value: unknown, ids: ReadonlyMap<string, number>, prefix: string): Merges {
  let base = 1
  for (const id of ids.values()) base = Math.max(base, count(id, 'id') + 1)
  const ranks = new Map<number, number>()
  const made = list(value, 'merges').map((merge, rank) => {
    const [left, right] = typeof merge === 'string' ? twoOf(merge) : (merge as [string, string])
    const a = ids.get(left)
    const b = ids.get(right)
    const merged = ids.get(left + right.slice(prefix.length))
    if (a === undefined || b === undefined || merged === undefined)
      throw unsupported(`its merge ${rank + 1} has tokens that are not in its vocabulary`)
    ranks.set(a * base + b, rank)
    return merged
  })
  return { base, ranks, made }
}

function twoOf(merge: string): [string, string] {
  const parts = merge.split(' ')
  if (parts.length !== 2) throw unsupported(`its merge "${merge.slice(0, 40)}" is not two tokens`)
  return parts as [string, string]
}

/** Merges until nothing applies. Changes `symbols`. */
function merge(symbols: number[], { base, ranks, made }: Merges): number[] {
  const length = symbols.length
  const next = Int32Array.from({ length }, (_, i) => (i + 1 < length ? i + 1 : -1))
  const previous = Int32Array.from({ length }, (_, i) => i - 1)
  const heap = new MinHeap()
  const rankAt = (at: number): number | undefined =>
    next[at]! < 0 ? undefined : ranks.get(symbols[at]! * base + symbols[next[at]!]!)
  const offer = (at: number): void => {
    const rank = rankAt(at)
    if (rank !== undefined) heap.push(rank * POSITIONS + at)
  }
  for (let at = 0; at + 1 < length; at++) offer(at)
  for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
    const at = top % POSITIONS
    const rank = Math.floor(top / POSITIONS)
    // The pair may have changed since, and a symbol that is gone has no pair.
    if (symbols[at] === -1 || rankAt(at) !== rank) continue
    const right = next[at]!
    symbols[at] = made[rank]!
    symbols[right] = -1
    const after = next[right]!
    next[at] = after
    if (after >= 0) previous[after] = at
    offer(at)
    if (previous[at]! >= 0) offer(previous[at]!)
  }
  return symbols.filter((id) => id !== -1)
}
