// Rows as UTF-8 and where each cell ends: the form in which they go from a file's parser to the store, so that a table passes
// without a string for each cell. Whoever reads stored rows gets strings.

export interface ByteRows {
  /** Cells of a row. */
  width: number
  /** The cells one after the other, row after row, with nothing in between; valid UTF-8. */
  bytes: Uint8Array<ArrayBuffer>
  /** Where each cell ends. */
  ends: Uint32Array<ArrayBuffer>
  /** Surely every byte is a character of its own. */
  ascii: boolean
}

/** Rows in either form. */
export type Rows = string[][] | ByteRows

// A mark at the beginning of a cell is part of it.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

export function rowCount(rows: Rows): number {
  return 'ends' in rows ? rows.ends.length / rows.width : rows.length
}

/** All cells as one text, and the length of each in UTF-16 units. */
export function packedText({ bytes, ends }: ByteRows): { text: string; lengths: Uint32Array<ArrayBuffer> } {
  const text = textOf(bytes)
  const ascii = text.length === bytes.length
  const lengths = new Uint32Array(ends.length)
  for (let i = 0, start = 0; i < ends.length; i++) {
    const end = ends[i]!
    lengths[i] = ascii ? end - start : unitsOf(bytes, start, end)
    start = end
  }
  return { text, lengths }
}

/** Rows out of what `packedText` gives. */
export function unpackedRows(text: string, lengths: Uint32Array, width: number): string[][] {
  const rows: string[][] = []
  for (let cell = 0, at = 0; cell < lengths.length;) {
    const row: string[] = []
    for (let i = 0; i < width; i++) row.push(text.slice(at, (at += lengths[cell++]!)))
    rows.push(row)
  }
  return rows
}

export function textRows(rows: Rows): string[][] {
  if (!('ends' in rows)) return rows
  const { text, lengths } = packedText(rows)
  return unpackedRows(text, lengths, rows.width)
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
  const aligned = -bytes.byteOffset & 3
  if (bytes.length < aligned + 4) return bytes.every((byte) => byte < 0x80)
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
