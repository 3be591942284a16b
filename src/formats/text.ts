// Bytes of a file that should hold a table -> UTF-8: which encoding it is in, and whether it is text at all.
// A character that is cut between two pieces is kept whole (PapaParse's own file reader splits it).
import type { Encoding } from '../protocol/bringIn.ts'
import { GraftError } from '../protocol/errors.ts'
import { byteSearch } from './byteSearch.ts'

/** What is looked at before anything is decided. */
export const SAMPLE_BYTES = 64 * 1024
/** Above this share of control characters a file without a known signature is taken for binary. */
const CONTROL_SHARE = 0.01
/** In UTF-16 text of Western languages nearly every second byte is zero. */
const ZERO_SHARE = 0.3

const SIGNATURES: { bytes: number[]; what: string; then: string }[] = [
  {
    bytes: [0x50, 0x4b, 0x03, 0x04],
    what: 'a spreadsheet or zip archive',
    then: 'Open it and save it as CSV',
  },
  { bytes: [0xd0, 0xcf, 0x11, 0xe0], what: 'an Excel or Office file', then: 'Open it and save it as CSV' },
  {
    bytes: [0x25, 0x50, 0x44, 0x46],
    what: 'a PDF',
    then: 'Copy its table to a spreadsheet and save that as CSV',
  },
  { bytes: [0x89, 0x50, 0x4e, 0x47], what: 'a PNG picture', then: 'Choose a CSV file' },
  { bytes: [0xff, 0xd8, 0xff], what: 'a JPEG picture', then: 'Choose a CSV file' },
  { bytes: [0x47, 0x49, 0x46, 0x38], what: 'a GIF picture', then: 'Choose a CSV file' },
  { bytes: [0x1f, 0x8b], what: 'a gzip archive', then: 'Unpack it first' },
]

export type { Encoding }

/** Turns the pieces of a file into valid UTF-8. The first pieces are held back until there is enough to decide. */
export class TextReader {
  /** Whether each byte of what came out last is a character. */
  ascii = false
  #held: Uint8Array[] = []
  #heldBytes = 0
  /** The bytes of a character that the last piece ended in. */
  #cut = new Uint8Array(0)
  #decoder: TextDecoder | null = null
  #encoding: Encoding = 'utf-8'
  #confidence = 1

  /**
   * @param name the file's name, for error messages
   * @param asked the encoding, where it is not to be detected
   */
  constructor(
    private readonly name: string,
    private readonly asked?: Encoding,
  ) {}

  /** Known once text has come out. */
  get encoding(): Encoding {
    return this.#encoding
  }

  /** How sure the encoding is, from 0 to 1; known once text has come out. */
  get confidence(): number {
    return this.#confidence
  }

  /**
   * Whole characters of the next piece, perhaps none yet. They may lie in the piece, of which nothing is kept. Throws
   * E_NOT_A_TABLE for what is no text.
   */
  push(piece: Uint8Array): Uint8Array {
    if (this.#decoder) return this.#utf8(piece, false)
    this.#held.push(piece.slice())
    this.#heldBytes += piece.length
    return this.#heldBytes < SAMPLE_BYTES ? piece.subarray(0, 0) : this.#open(false)
  }

  /** What is left. Throws E_NOT_A_TABLE for what is no text, or for an empty file. */
  end(): Uint8Array {
    if (this.#decoder) return this.#utf8(new Uint8Array(0), true)
    if (this.#heldBytes === 0) throw notATable(`${this.name} is empty. Choose a file with a header and rows.`)
    return this.#open(true)
  }

  #open(whole: boolean): Uint8Array {
    const held = concat(this.#held, this.#heldBytes)
    this.#held = []
    const sample = held.subarray(0, SAMPLE_BYTES)
    refuseKnown(sample, this.name)
    const { encoding, confidence } = this.asked
      ? { encoding: this.asked, confidence: 1 }
      : detectEncoding(sample, this.name)
    this.#encoding = encoding
    this.#confidence = confidence
    // The mark is taken off here, once, and not by the decoder, which does not see every piece.
    this.#decoder = new TextDecoder(this.#encoding, { ignoreBOM: true })
    const utf8 = this.#utf8(held, whole)
    return utf8[0] === 0xef && utf8[1] === 0xbb && utf8[2] === 0xbf ? utf8.subarray(3) : utf8
  }

  #utf8(piece: Uint8Array, last: boolean): Uint8Array {
    const decoder = this.#decoder!
    if (this.#encoding !== 'utf-8') return new TextEncoder().encode(decoder.decode(piece, { stream: !last }))
    // UTF-8 stays as it is, unless some of it is not.
    const bytes = this.#cut.length === 0 ? piece : concat([this.#cut, piece], this.#cut.length + piece.length)
    const end = bytes.length - (last ? 0 : cutLength(bytes))
    this.#cut = bytes.slice(end)
    const whole = bytes.subarray(0, end)
    this.ascii = byteSearch().isAscii(whole)
    if (this.ascii) return whole
    const text = decoder.decode(whole)
    return text.includes('\uFFFD') ? new TextEncoder().encode(text) : whole
  }
}

/** Bytes at the end that are the beginning of a character. */
function cutLength(bytes: Uint8Array): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length]!
    if ((byte & 0xc0) === 0x80) continue
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
    return needed > length ? length : 0
  }
  return 0
}

function refuseKnown(sample: Uint8Array, name: string): void {
  const known = SIGNATURES.find(({ bytes }) => bytes.every((byte, i) => sample[i] === byte))
  if (known) throw notATable(`${name} is ${known.what}, not a table in text form. ${known.then}.`)
}

/**
 * The encoding of the first bytes of a file, and how sure that is: a mark at the beginning, or characters of several bytes
 * that fit UTF-8, leave no doubt; windows-1252 is what is left over, as nearly every byte is a character of it.
 * Throws E_NOT_A_TABLE for what is no text.
 */
export function detectEncoding(sample: Uint8Array, name: string): { encoding: Encoding; confidence: number } {
  if (sample[0] === 0xff && sample[1] === 0xfe) return { encoding: 'utf-16le', confidence: 1 }
  if (sample[0] === 0xfe && sample[1] === 0xff) return { encoding: 'utf-16be', confidence: 1 }

  const zeros = [0, 0]
  let controls = 0
  for (let i = 0; i < sample.length; i++) {
    const byte = sample[i]!
    if (byte === 0) zeros[i % 2]!++
    else if (byte < 0x09 || (byte > 0x0d && byte < 0x20 && byte !== 0x1b)) controls++
  }
  const share = (count: number): number => count / Math.max(1, sample.length / 2)
  if (share(zeros[1]!) > ZERO_SHARE && zeros[0] === 0) return { encoding: 'utf-16le', confidence: 0.9 }
  if (share(zeros[0]!) > ZERO_SHARE && zeros[1] === 0) return { encoding: 'utf-16be', confidence: 0.9 }
  // A stray zero in a text is a fault of the text, which the health report shows.
  if (zeros[0]! + zeros[1]! + controls > Math.max(1, sample.length * CONTROL_SHARE))
    throw notATable(`${name} is a binary file, not a table in text form. Choose a CSV file.`)
  return isUtf8(sample) ? { encoding: 'utf-8', confidence: 1 } : { encoding: 'windows-1252', confidence: 0.5 }
}

function isUtf8(sample: Uint8Array): boolean {
  try {
    // As a stream: a character cut by the end of the sample is no fault.
    new TextDecoder('utf-8', { fatal: true }).decode(sample, { stream: true })
    return true
  } catch {
    return false
  }
}

export function concat(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(length)
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

export function notATable(message: string): GraftError {
  return new GraftError('E_NOT_A_TABLE', message)
}
