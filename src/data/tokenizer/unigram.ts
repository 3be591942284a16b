// The unigram language model: the tokens whose log-probabilities have the largest sum (Viterbi).
// Kudo 2018, "Subword Regularization"; the search is SentencePiece's EncodeOptimized, which `tokenizers` uses.
import { count, flag, list, unsupported, type Json } from './json.ts'
import type { Model } from './models.ts'

/** What an unknown letter costs beyond the worst token. */
const UNKNOWN_PENALTY = 10

interface Node {
  id: number
  next: Map<number, Node>
}
const newNode = (): Node => ({ id: -1, next: new Map() })

export function makeUnigram(json: Json): Model {
  const tokens: string[] = []
  const scores: number[] = []
  for (const entry of list(json.vocab, 'vocabulary')) {
    const [token, score] = Array.isArray(entry) ? (entry as unknown[]) : []
    if (typeof token !== 'string' || typeof score !== 'number')
      throw unsupported(`entry ${tokens.length} of its vocabulary is not a token with a score`)
    tokens.push(token)
    scores.push(score)
  }
  const ids = new Map(tokens.map((token, id) => [token, id]))
  const unknown = json.unk_id === undefined || json.unk_id === null ? undefined : count(json.unk_id, 'unk_id')
  if (unknown === undefined || unknown >= tokens.length)
    throw unsupported('it has no unknown token (unk_id), which this kind needs')
  const bytes = flag(json.byte_fallback, false)
  const unknownScore = scores.reduce((least, score) => Math.min(least, score), Infinity) - UNKNOWN_PENALTY
  const root = newNode()
  for (const [token, id] of ids) add(root, token, id)
  const encoder = new TextEncoder()

  /** Start and id of the token that ends the best reading at each position, best first from the end. */
  const best = (piece: string): { text: string; unknown: boolean }[] => {
    const length = piece.length
    const score = new Float64Array(length + 1)
    const from = new Int32Array(length + 1).fill(-1)
    const id = new Int32Array(length + 1)
    const offer = (start: number, end: number, token: number, value: number): void => {
      if (from[end]! >= 0 && value <= score[end]!) return
      score[end] = value
      from[end] = start
      id[end] = token
    }
    for (let start = 0; start < length;) {
      const width = piece.codePointAt(start)! > 0xffff ? 2 : 1
      let single = false
      let node: Node | undefined = root
      for (let end = start; end < length;) {
        node = node.next.get(piece.charCodeAt(end))
        end++
        if (!node) break
        if (node.id < 0) continue
        offer(start, end, node.id, scores[node.id]! + score[start]!)
        if (end === start + width) single = true
      }
      if (!single) offer(start, start + width, unknown, unknownScore + score[start]!)
      start += width
    }
    const out: { text: string; unknown: boolean }[] = []
    for (let end = length; end > 0; end = from[end]!) {
      const text = piece.slice(from[end]!, end)
      const last = out.at(-1)
      if (id[end] !== unknown) out.push({ text, unknown: false })
      else if (last?.unknown) last.text = text + last.text
      else out.push({ text, unknown: true })
    }
    return out.reverse()
  }

  const spell = (text: string): number[] | undefined => {
    const spelt = Array.from(encoder.encode(text), (byte) =>
      ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
    )
    return spelt.every((byte) => byte !== undefined) ? spelt : undefined
  }

  return {
    vocabulary: ids,
    tokens,
    encode: (piece) =>
      best(piece).flatMap(({ text }) => ids.get(text) ?? ((bytes && spell(text)) || unknown)),
  }
}

function add(root: Node, token: string, id: number): void {
  let node = root
  for (let at = 0; at < token.length; at++) {
    const unit = token.charCodeAt(at)
    let next = node.next.get(unit)
    if (!next) node.next.set(unit, (next = newNode()))
    node = next
  }
  node.id = id
}
