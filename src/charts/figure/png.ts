// Words inside a PNG file: text chunks (PNG 3rd edition, 11.3.3) with what made the picture, and its pixels per metre, so
// that a picture of twice the size prints as large as it was on the page.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10]
/** Bytes of the signature and of the IHDR chunk, which must come first. */
const HEAD = 8 + 25
/** CSS pixels in a metre. */
const PER_METRE = 96 / 0.0254

/**
 * A PNG file with texts and the size of its pixels. Keys are Latin, 1 to 79 characters (PNG's own: Title, Description,
 * Software); values are any text.
 * @param scale pixels of the picture per CSS pixel
 */
export function withTexts(
  png: Uint8Array<ArrayBuffer>,
  texts: Readonly<Record<string, string>>,
  scale: number,
): Uint8Array<ArrayBuffer> {
  if (SIGNATURE.some((byte, i) => png[i] !== byte)) throw new Error('This is no PNG file.')
  const per = Math.round(PER_METRE * scale)
  const size = new Uint8Array(9)
  const view = new DataView(size.buffer)
  view.setUint32(0, per)
  view.setUint32(4, per)
  size[8] = 1 // per metre
  const chunks = [
    chunk('pHYs', size),
    ...Object.entries(texts).map(([key, text]) => chunk('iTXt', internationalText(key, text))),
  ]
  const length = chunks.reduce((sum, each) => sum + each.length, png.length)
  const whole = new Uint8Array(length)
  let at = HEAD
  whole.set(png.subarray(0, HEAD))
  for (const each of chunks) {
    whole.set(each, at)
    at += each.length
  }
  whole.set(png.subarray(HEAD), at)
  return whole
}

/** The texts of a PNG file's iTXt chunks, as `withTexts` writes them. */
export function textsOf(png: Uint8Array): Record<string, string> {
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength)
  const texts: Record<string, string> = {}
  for (let at = 8; at + 12 <= png.length;) {
    const length = view.getUint32(at)
    const type = String.fromCharCode(...png.subarray(at + 4, at + 8))
    if (type === 'iTXt') {
      const data = png.subarray(at + 8, at + 8 + length)
      const end = data.indexOf(0)
      // Key, 0, not compressed, method, language, 0, translated key, 0, text.
      texts[String.fromCharCode(...data.subarray(0, end))] = new TextDecoder().decode(data.subarray(end + 5))
    }
    at += 12 + length
  }
  return texts
}

function internationalText(key: string, text: string): Uint8Array {
  const name = Array.from(key, (letter) => letter.charCodeAt(0))
  return Uint8Array.from([...name, 0, 0, 0, 0, 0, ...new TextEncoder().encode(text)])
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const whole = new Uint8Array(12 + data.length)
  const view = new DataView(whole.buffer)
  view.setUint32(0, data.length)
  whole.set(
    Array.from(type, (letter) => letter.charCodeAt(0)),
    4,
  )
  whole.set(data, 8)
  view.setUint32(8 + data.length, crc(whole.subarray(4, 8 + data.length)))
  return whole
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value
})

/** CRC-32 of ISO 3309, as PNG takes it. */
export function crc(bytes: Uint8Array): number {
  let value = 0xffffffff
  for (const byte of bytes) value = CRC_TABLE[(value ^ byte) & 255]! ^ (value >>> 8)
  return (value ^ 0xffffffff) >>> 0
}
