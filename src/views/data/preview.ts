// A row as the model reads it, prepared for drawing: stretches that are learnt or only read, each with its texts and special
// tokens, and the notices beside them.
import { count, plural } from '../../charts/format.ts'
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

/** "38 tokens, 12 of them learnt". */
export function lengths({ tokens, trainedTokens, label }: RenderedRow): string {
  const all = plural(tokens, 'token')
  return label === null ? `${all}, ${count(trainedTokens)} of them learnt` : all
}
