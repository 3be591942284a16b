// Ids as the text that a person would type: without special tokens and without what a template writes around it.
import type { TextTokenizer } from '../../../src/data/tokenizer.ts'
import type { ExplainInput } from '../../../src/protocol/explain.ts'

/** A token of an edited text. */
export interface KeptToken {
  id: number
  /** Special, or the template's. */
  fixed: boolean
}

export function typedText(tokenizer: TextTokenizer, kept: readonly KeptToken[]): string {
  let text = ''
  let run: number[] = []
  const close = () => {
    const [first = ''] = tokenizer.tokens(run.slice(0, 1))
    // SentencePiece and WordPiece lose the space before what they decode.
    text += /^\s*/.exec(first)![0] + tokenizer.decode(run).trimStart()
    run = []
  }
  for (const { id, fixed } of kept) {
    if (!fixed) run.push(id)
    else {
      close()
      // The word that is hidden from a model that fills masks is written by the person.
      if (id === tokenizer.maskId) text += `${text && !/\s$/.test(text) ? ' ' : ''}${tokenizer.maskText}`
    }
  }
  close()
  return text.trim()
}

/** The same input with another text in the place of its own, or of its last message's. */
export function withText(input: ExplainInput, text: string): ExplainInput {
  if (!('messages' in input)) return { text }
  return {
    messages: input.messages.map((message, at) =>
      at === input.messages.length - 1 ? { ...message, content: text } : message,
    ),
  }
}
