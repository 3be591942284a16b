// A question as a chat model sees it. The page does not run chat templates; ChatML, which most small chat models use,
// can be told from the vocabulary: its marks are single tokens there.
import type { GraftApi } from '../../protocol/api.ts'

const START = '<|im_start|>'

export async function speaksChatMl(api: GraftApi, model: string): Promise<boolean> {
  const { tokens } = await api.tokenize(model, START)
  return tokens.includes(START)
}

/** One question of the user, up to where the answer begins. */
export function asChatMl(question: string): string {
  return `${START}user\n${question}<|im_end|>\n${START}assistant\n`
}
