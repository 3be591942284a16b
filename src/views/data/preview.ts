// A row as the model reads it, prepared for drawing: stretches that are learnt or only read, each with its texts and special
// tokens, and the notices beside them.
import { count, number, plural } from '../../charts/format.ts'
import type { RenderedPiece, RenderedRow } from '../../protocol/data.ts'

export interface Stretch {
  trained: boolean
  parts: { text: string; special: boolean }[]
}

/** Neighbours of equal treatment in one stretch; empty texts (tokens that write nothing) are left out. */
export function stretches(pieces: readonly RenderedPiece[]): Stretch[] {
  const out: Stretch[] = []
  for (const { text, trained, special = false } of pieces) {
    if (text === '') continue
    const last = out.at(-1)
    if (last?.trained === trained) last.parts.push({ text, special })
    else out.push({ trained, parts: [{ text, special }] })
  }
  return out
}

/** The text in lines: each line end is drawn. */
export function lines(text: string): string[] {
  return text.split('\n')
}

/** "38 tokens, 12 of them learnt, weight 4". */
export function lengths({ tokens, trainedTokens, label, weight }: RenderedRow): string {
  return [
    plural(tokens, 'token'),
    ...(label === null ? [`${count(trainedTokens)} of them learnt`] : []),
    ...(weight === undefined ? [] : [`weight ${number(weight, 3)}`]),
  ].join(', ')
}
