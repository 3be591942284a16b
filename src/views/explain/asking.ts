// From what is in the fields to what explanations take.
import type { GraftApi } from '../../protocol/api.ts'
import type { ExplainInput, OutputChoice } from '../../protocol/explain.ts'
import type { Asked } from '../parts/target.ts'

/** Names of outputs as they were typed or chosen; empty: not said. */
export interface WantedOutputs {
  output: string
  contrast: string
}

export function inputOf(text: string, asChat: boolean): ExplainInput {
  return asChat ? { messages: [{ role: 'user', content: text }] } : { text }
}

/** Labels go by their names; a word is its first token. */
export async function choiceOf(
  api: Pick<GraftApi, 'tokenize'>,
  of: Pick<Asked, 'classify' | 'baseId'>,
  wanted: WantedOutputs,
): Promise<OutputChoice> {
  const read = async (name: string) =>
    name.trim() === '' ? undefined : of.classify ? name : await tokenOf(api, of.baseId, name)
  const [output, contrast] = [await read(wanted.output), await read(wanted.contrast)]
  return { ...(output !== undefined && { output }), ...(contrast !== undefined && { contrast }) }
}

/** How much of a text a classifier leaves out: it reads as many tokens as in its training. */
export async function cutOf(
  api: Pick<GraftApi, 'tokenize'>,
  of: Pick<Asked, 'classify' | 'baseId' | 'run'>,
  text: string,
): Promise<{ cut?: { read: number; of: number } }> {
  const read = of.classify ? of.run?.info.config.training.maxLength : undefined
  if (read === undefined) return {}
  const { ids } = await api.tokenize(of.baseId, text)
  return ids.length > read ? { cut: { read, of: ids.length } } : {}
}

/** The first token of a word, without what the tokenizer puts before every text. */
async function tokenOf(api: Pick<GraftApi, 'tokenize'>, base: string, word: string) {
  const { ids } = await api.tokenize(base, word)
  const { ids: empty } = await api.tokenize(base, '')
  let at = 0
  while (at < empty.length && ids[at] === empty[at]) at++
  return ids[at] ?? ids[0]
}
