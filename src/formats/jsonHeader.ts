// What JSON.parse hides of a safetensors header: a name given twice (the later one would win in silence), and nesting
// deeper than the format has. One pass over the text, before anything is built from it.
import { stringEnd } from './jsonText.ts'

/** Header, entry, list of sizes. */
const DEPTH_LIMIT = 3

/** Throws what `fail` makes of a sentence and, where there is one, a tensor's name. */
export function checkHeaderText(text: string, fail: (what: string, tensor?: string) => Error): void {
  const names: Set<string>[] = []
  let tensor: string | undefined
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '{':
      case '[':
        if (names.length === DEPTH_LIMIT)
          throw fail(
            `its header is nested too deeply${tensor === undefined ? '' : ` in "${tensor}"`}`,
            tensor,
          )
        names.push(new Set())
        break
      case '}':
      case ']':
        names.pop()
        break
      case '"': {
        const end = stringEnd(text, at)
        if (end < 0) throw fail('its header ends inside a text')
        const known = names.at(-1)
        if (known && isKey(text, end + 1)) {
          const name = unquote(text.slice(at, end + 1))
          if (names.length === 1) tensor = name
          if (known.has(name))
            throw names.length === 1
              ? fail(`two tensors are named "${name}"`, name)
              : fail(`"${name}" of "${tensor}" is given twice`, tensor)
          known.add(name)
        }
        at = end
        break
      }
    }
  }
}

function isKey(text: string, from: number): boolean {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at++
  return text[at] === ':'
}

/** The string a literal stands for; the literal itself where it is none (JSON.parse refuses it later). */
function unquote(literal: string): string {
  try {
    return JSON.parse(literal) as string
  } catch {
    return literal
  }
}
