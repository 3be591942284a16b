// Rows as the bytes they came in and where each cell lies among them: the form from a file's parser to the store, in which a
// table passes without a string for each cell. Whoever reads rows gets strings.

export interface ByteRows {
  /** Cells of a row. */
  width: number
  /** Valid UTF-8. Between the cells may be anything. */
  bytes: Uint8Array<ArrayBuffer>
  /** Two a cell, row after row: where it starts and ends in `bytes`. Starts never fall. */
  spans: Uint32Array<ArrayBuffer>
}

/** Rows in either form. */
export type Rows = string[][] | ByteRows

// A mark at the beginning of a cell is part of it.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

export function rowCount(rows: Rows): number {
  return 'spans' in rows ? rows.spans.length / (2 * rows.width) : rows.length
}

/** Rows `from` to `to` with bytes of their own, and no more of them than lie from their first cell to their last. */
export function copyRows({ width, bytes, spans }: ByteRows, from: number, to: number): ByteRows {
  const own = spans.slice(2 * width * from, 2 * width * to)
  const start = own[0]!
  for (let i = 0; i < own.length; i++) own[i]! -= start
  return { width, bytes: bytes.slice(start, start + own.at(-1)!), spans: own }
}

/** Both, one after the other; they are equally wide. */
export function joinRows(a: ByteRows, b: ByteRows): ByteRows {
  const bytes = new Uint8Array(a.bytes.length + b.bytes.length)
  bytes.set(a.bytes)
  bytes.set(b.bytes, a.bytes.length)
  const spans = new Uint32Array(a.spans.length + b.spans.length)
  spans.set(a.spans)
  for (let i = 0, to = a.spans.length; i < b.spans.length; i++) spans[to++] = b.spans[i]! + a.bytes.length
  return { width: a.width, bytes, spans }
}

export function textRows(rows: Rows): string[][] {
  if (!('spans' in rows)) return rows
  const { width, bytes } = rows
  const text = textOf(bytes)
  const spans = text.length === bytes.length ? rows.spans : unitSpans(rows)
  const made: string[][] = []
  for (let at = 0; at < spans.length;) {
    const row = new Array<string>(width)
    for (let i = 0; i < width; i++, at += 2) row[i] = text.slice(spans[at], spans[at + 1])
    made.push(row)
  }
  return made
}

/** The spans in UTF-16 units. */
function unitSpans({ bytes, spans }: ByteRows): Uint32Array {
  const made = new Uint32Array(spans.length)
  let units = 0
  for (let i = 0, at = 0; i < spans.length; i++) {
    const to = spans[i]!
    if (to > at) {
      units += unitsOf(bytes, at, to)
      at = to
    }
    made[i] = units
  }
  return made
}

/** UTF-16 units of the characters of `bytes[from..to]`. */
export function unitsOf(bytes: Uint8Array, from: number, to: number): number {
  let units = 0
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!
    if ((byte & 0xc0) !== 0x80) units += byte >= 0xf0 ? 2 : 1
  }
  return units
}

/** Whether every byte is a character of its own. */
export function isAscii(bytes: Uint8Array): boolean {
  const aligned = Math.min(bytes.length, -bytes.byteOffset & 3)
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + aligned, (bytes.length - aligned) >> 2)
  let high = 0
  for (let at = 0; at < aligned; at++) high |= bytes[at]!
  for (let at = aligned + 4 * words.length; at < bytes.length; at++) high |= bytes[at]!
  if (high & 0x80) return false
  for (let at = 0; at < words.length;) {
    const end = Math.min(words.length, at + 4096)
    for (; at < end; at++) high |= words[at]!
    if ((high & 0x80808080) !== 0) return false
  }
  return true
}
