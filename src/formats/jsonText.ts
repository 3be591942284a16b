// JSON as text (RFC 8259): where its strings and values end, what JSON.parse hides (keys given twice, digits of numbers that
// a double cannot hold). All but `depthWithin` and `stringEnd` expect text that JSON.parse has accepted.

/** Index of the quote that ends the string that begins at `start`, or -1. */
export function stringEnd(text: string, start: number): number {
  for (let at = start + 1; ;) {
    const quote = text.indexOf('"', at)
    if (quote < 0) return -1
    let slashes = 0
    while (text[quote - 1 - slashes] === '\\') slashes++
    if (slashes % 2 === 0) return quote
    at = quote + 1
  }
}

/** Index of the first character from `at` on that is no white space. */
export function skipSpace(text: string, at: number): number {
  while (at < text.length && isSpace(text.charCodeAt(at))) at++
  return at
}

export function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

/** Whether lists and objects stand inside each other at most `limit` deep; to be asked before anything is built. */
export function depthWithin(text: string, limit: number): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (char === '"') {
      at = stringEnd(text, at)
      if (at < 0) return true
    } else if (char === '{' || char === '[') {
      if (++depth > limit) return false
    } else if (char === '}' || char === ']') depth--
  }
  return true
}

/** The keys of an object in their order, each with the text of its value; a key given twice comes twice. */
export function objectFields(text: string): [key: string, value: string][] {
  const fields: [string, string][] = []
  for (let at = skipSpace(text, text.indexOf('{') + 1); text[at] === '"';) {
    const keyEnd = stringEnd(text, at)
    const begin = skipSpace(text, skipSpace(text, keyEnd + 1) + 1)
    const end = valueEnd(text, begin)
    fields.push([JSON.parse(text.slice(at, keyEnd + 1)) as string, text.slice(begin, end)])
    at = skipSpace(text, skipSpace(text, end) + 1)
  }
  return fields
}

/** The index after the value that begins at `at`. */
function valueEnd(text: string, at: number): number {
  if (text[at] === '"') return stringEnd(text, at) + 1
  if (text[at] !== '{' && text[at] !== '[') {
    while (at < text.length && !isSpace(text.charCodeAt(at)) && !',]}'.includes(text[at]!)) at++
    return at
  }
  let depth = 0
  for (; at < text.length; at++) {
    const char = text[at]
    if (char === '"') at = stringEnd(text, at)
    else if (char === '{' || char === '[') depth++
    else if ((char === '}' || char === ']') && --depth === 0) break
  }
  return at + 1
}

/** The same JSON without the white space between its parts; every number keeps its digits. */
export function minified(text: string): string {
  let out = ''
  for (let at = 0; at < text.length;) {
    const quote = text.indexOf('"', at)
    const end = quote < 0 ? text.length : stringEnd(text, quote) + 1
    out += text.slice(at, quote < 0 ? end : quote).replace(/\s+/g, '')
    if (quote >= 0) out += text.slice(quote, end)
    at = end
  }
  return out
}
