// Zip archives: those of fflate and Python, and archives made to hurt.
import { crc32 as nodeCrc32 } from 'node:zlib'
import { zipSync } from 'fflate'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32 } from '../../src/formats/crc32.ts'
import { readZip, writeZip } from '../../src/formats/zip.ts'
import { ZIP_BYTES_LIMIT } from '../../src/formats/zipRead.ts'
import { ZIP_ENTRIES_LIMIT, type ZipSource } from '../../src/formats/zipDirectory.ts'

/** Python's zipfile: a.txt is 'hello ' * 1000, b.bin is bytes(range(16)) * 100 opened with force_zip64. */
const PYTHON =
  'UEsDBBQAAAAIAAAAIVDBNwxAIwAAAHAXAAAFAAAAYS50eHTtxDENAAAIAzArmCPhWIL/DxG87dHpZGts27Zt27Zt2/bjA1BLAwQt' +
  'AAAACAAAACFQIXZhO///////////BQAUAGIuYmluAQAQAEAGAAAAAAAAIAAAAAAAAABjYGRiZmFlY+fg5OLm4eXjZxjlj/JH+aP8' +
  'Uf4onwg+AFBLAQIUAxQAAAAIAAAAIVDBNwxAIwAAAHAXAAAFAAAAAAAAAAAAAACAAQAAAABhLnR4dFBLAQItAy0AAAAIAAAAIVAh' +
  'dmE7IAAAAEAGAAAFAAAAAAAAAAAAAACAAUYAAABiLmJpblBLBQYAAAAAAgACAGYAAACdAAAAAAA='
/** The same to a stream that cannot be sought: sizes come after c.txt, 'streamed'. */
const PYTHON_STREAM =
  'UEsDBBQACAAIAAAAIVAAAAAAAAAAAAAAAAAFAAAAYy50eHQrLilKTcxNTQEAUEsHCGMbItkKAAAACAAAAFBLAQIUAxQACAAIAAAA' +
  'IVBjGyLZCgAAAAgAAAAFAAAAAAAAAAAAAACAAQAAAABjLnR4dFBLBQYAAAAAAQABADMAAAA9AAAAAAA='

interface Made {
  name: string | Uint8Array
  content?: Uint8Array
  /** What directory and header say, where it is not the truth. */
  bytes?: number
  packed?: number
  method?: number
  flags?: number
  crc?: number
  header?: number
  madeBy?: number
  attributes?: number
  extra?: Uint8Array
}

/** An archive byte by byte, so that any field can lie. */
function archive(
  entries: Made[],
  end: Partial<Record<'entries' | 'length' | 'begin' | 'disk', number>> = {},
): Uint8Array {
  const parts: Uint8Array[] = []
  const directory: Uint8Array[] = []
  let at = 0
  const put = (list: Uint8Array[], bytes: Uint8Array) => (list.push(bytes), bytes.length)
  for (const made of entries) {
    const name = typeof made.name === 'string' ? new TextEncoder().encode(made.name) : made.name
    const content = made.content ?? new Uint8Array(0)
    const extra = made.extra ?? new Uint8Array(0)
    const central = new DataView(new ArrayBuffer(46))
    central.setUint32(0, 0x02014b50, true)
    central.setUint8(5, made.madeBy ?? 0)
    central.setUint16(8, made.flags ?? 0, true)
    central.setUint16(10, made.method ?? 0, true)
    central.setUint32(16, made.crc ?? nodeCrc32(content), true)
    central.setUint32(20, made.packed ?? content.length, true)
    central.setUint32(24, made.bytes ?? content.length, true)
    central.setUint16(28, name.length, true)
    central.setUint16(30, extra.length, true)
    central.setUint32(38, made.attributes ?? 0, true)
    central.setUint32(42, made.header ?? at, true)
    const local = new DataView(new ArrayBuffer(30))
    local.setUint32(0, 0x04034b50, true)
    local.setUint16(26, name.length, true)
    for (const bytes of [new Uint8Array(local.buffer), name, content]) at += put(parts, bytes)
    for (const bytes of [new Uint8Array(central.buffer), name, extra]) put(directory, bytes)
  }
  const length = directory.reduce((sum, bytes) => sum + bytes.length, 0)
  const record = new DataView(new ArrayBuffer(22))
  record.setUint32(0, 0x06054b50, true)
  record.setUint16(4, end.disk ?? 0, true)
  record.setUint16(10, end.entries ?? entries.length, true)
  record.setUint32(12, end.length ?? length, true)
  record.setUint32(16, end.begin ?? at, true)
  return new Uint8Array(Buffer.concat([...parts, ...directory, new Uint8Array(record.buffer)]))
}
const text = (value: string) => new TextEncoder().encode(value)

describe('archives as they should be', () => {
  test('what Graft writes is read, whole and in ranges', async () => {
    const weights = Uint8Array.from({ length: 5000 }, (_, i) => i % 251)
    const files = await readZip(
      writeZip({ 'adapter_config.json': '{"r":16}'.repeat(100), 'a/weights.safetensors': weights }),
    )
    expect([...files.keys()]).toEqual(['adapter_config.json', 'a/weights.safetensors'])
    const config = files.get('adapter_config.json')!
    expect(config).toMatchObject({ stored: false, bytes: 800 })
    expect(new TextDecoder().decode(await config.read())).toBe('{"r":16}'.repeat(100))
    expect(new TextDecoder().decode(await config.read(1, 4))).toBe('"r"')
    const stored = files.get('a/weights.safetensors')!
    expect(stored).toMatchObject({ stored: true, bytes: 5000 })
    expect(await stored.read()).toEqual(weights)
    expect(await stored.read(4000, 4100)).toEqual(weights.slice(4000, 4100))
    await expect(stored.read(0, 5001)).rejects.toMatchObject({ code: 'E_ARGUMENT' })
  })

  test('a Blob and a source of ranges; a stored range reads no more than it must', async () => {
    const bytes = writeZip({ big: new Uint8Array(300_000).fill(7), small: 'x' })
    let read = 0
    const source: ZipSource = {
      bytes: bytes.length,
      read: (begin, end) => ((read += end - begin), Promise.resolve(bytes.slice(begin, end))),
    }
    const big = (await readZip(source)).get('big')!
    expect(await big.read(10, 20)).toEqual(new Uint8Array(10).fill(7))
    expect(read).toBeLessThan(70_000)
    expect((await (await readZip(new Blob([bytes]))).get('small')!.read())[0]).toBe(120)
  })

  test('folders and shadow files are left out, a comment is no hindrance, names are UTF-8 or old', async () => {
    const plain = archive([
      { name: 'folder/' },
      { name: '__MACOSX/._a', content: text('x') },
      { name: 'folder/ü', content: text('y') },
      { name: Uint8Array.of(0x66, 0xfc), content: text('z') },
      { name: '__proto__', content: text('p') },
    ])
    const comment = Buffer.concat([plain, Buffer.alloc(500, 0x50)])
    comment.writeUInt16LE(500, plain.length - 2)
    expect([...(await readZip(new Uint8Array(comment))).keys()]).toEqual(['folder/ü', 'fü', '__proto__'])
  })

  test('Python: deflated, streamed, and with 64-bit fields', async () => {
    const first = await readZip(new Uint8Array(Buffer.from(PYTHON, 'base64')))
    expect(new TextDecoder().decode(await first.get('a.txt')!.read())).toBe('hello '.repeat(1000))
    expect((await first.get('b.bin')!.read()).length).toBe(1600)
    const second = await readZip(new Uint8Array(Buffer.from(PYTHON_STREAM, 'base64')))
    expect(new TextDecoder().decode(await second.get('c.txt')!.read())).toBe('streamed')
  })

  test('sizes and the directory in 64-bit fields', async () => {
    const extra = new DataView(new ArrayBuffer(20))
    extra.setUint16(0, 1, true)
    extra.setUint16(2, 16, true)
    extra.setUint32(4, 3, true)
    extra.setUint32(12, 3, true)
    const wide = archive([
      {
        name: 'a',
        content: text('abc'),
        bytes: 0xffffffff,
        packed: 0xffffffff,
        extra: new Uint8Array(extra.buffer),
      },
    ])
    expect(new TextDecoder().decode(await (await readZip(wide)).get('a')!.read())).toBe('abc')
    const small = archive([{ name: 'a', content: text('abc') }])
    const at = small.length - 22
    const directory = new DataView(small.buffer).getUint32(at + 16, true)
    const record = new DataView(new ArrayBuffer(76))
    record.setUint32(0, 0x06064b50, true)
    record.setUint32(32, 1, true)
    record.setUint32(40, at - directory, true)
    record.setUint32(48, directory, true)
    record.setUint32(56, 0x07064b50, true)
    record.setUint32(64, at, true)
    const end = small.slice(at)
    new DataView(end.buffer).setUint16(10, 0xffff, true)
    const large = Buffer.concat([small.subarray(0, at), new Uint8Array(record.buffer), end])
    expect([...(await readZip(new Uint8Array(large))).keys()]).toEqual(['a'])
  })

  test('CRC-32', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(crc32(bytes)).toBe(nodeCrc32(bytes))
      }),
    )
  })
})

describe('archives that are refused before anything is unpacked', () => {
  const cases: [string, Uint8Array, string, RegExp][] = [
    ['no bytes', new Uint8Array(0), 'E_FORMAT', /no directory/],
    ['no archive', text('<html>'.repeat(100)), 'E_FORMAT', /no directory/],
    ['cut', writeZip({ a: 'x'.repeat(1000) }).slice(0, -5), 'E_FORMAT', /no directory/],
    ['several parts', archive([{ name: 'a' }], { disk: 1 }), 'E_FORMAT', /several parts/],
    ['too many files', archive([], { entries: ZIP_ENTRIES_LIMIT + 1 }), 'E_LIMIT', /10001 files/],
    ['a long directory', archive([{ name: 'a' }], { length: 0x7fffffff }), 'E_LIMIT', /its directory has/],
    ['a directory elsewhere', archive([{ name: 'a' }], { begin: 5 }), 'E_FORMAT', /not where it says/],
    ['fewer files than said', archive([{ name: 'a' }], { entries: 2 }), 'E_FORMAT', /1 files, and says 2/],
    ['more files than said', archive([{ name: 'a' }, { name: 'b' }], { entries: 1 }), 'E_FORMAT', /damaged/],
    ['encrypted', archive([{ name: 'a', flags: 1 }]), 'E_FORMAT', /"a" is encrypted/],
    ['LZMA', archive([{ name: 'a', method: 14 }]), 'E_FORMAT', /"a" is packed with LZMA/],
    ['an unknown method', archive([{ name: 'a', method: 77 }]), 'E_FORMAT', /"a" is packed with method 77/],
    ['a link', archive([{ name: 'a', madeBy: 3, attributes: 0xa1ff0000 }]), 'E_FORMAT', /"a" is a link/],
    ...['../a', 'a/../../b', '/etc/passwd', 'C:\\x', 'c:x', 'a\\b', 'a\0b', '', 'a//b', './a', '..'].map(
      (name): [string, Uint8Array, string, RegExp] => [
        `path ${JSON.stringify(name)}`,
        archive([{ name }]),
        'E_FORMAT',
        /leads out of it/,
      ],
    ),
    ['a name twice', archive([{ name: 'a' }, { name: 'a' }]), 'E_FORMAT', /two files are named "a"/],
    [
      'the same bytes twice',
      archive([
        { name: 'a', content: text('x') },
        { name: 'b', content: text('y'), header: 0 },
      ]),
      'E_FORMAT',
      /overlaps/,
    ],
    ['bytes of the directory', archive([{ name: 'a', packed: 50, bytes: 50 }]), 'E_FORMAT', /ends after/],
    ['two sizes', archive([{ name: 'a', bytes: 5 }]), 'E_FORMAT', /two sizes/],
    [
      'a bomb',
      archive([{ name: 'a', method: 8, content: new Uint8Array(1000), bytes: 1_032_000 * 2 }]),
      'E_LIMIT',
      /more than 200 times/,
    ],
    [
      'many large files',
      archive(
        Array.from({ length: 3 }, (_, i) => ({
          name: `${i}`,
          content: new Uint8Array(2 ** 23),
          method: 8,
          bytes: 1.6e9,
        })),
      ),
      'E_LIMIT',
      /more than 4 GB/,
    ],
    [
      '64-bit sizes that are no sizes',
      archive([
        {
          name: 'a',
          bytes: 0xffffffff,
          extra: new Uint8Array([1, 0, 8, 0, ...new Array<number>(8).fill(0xff)]),
        },
      ]),
      'E_FORMAT',
      /size that no file has/,
    ],
    [
      '64-bit sizes cut',
      archive([{ name: 'a', bytes: 0xffffffff, extra: Uint8Array.of(1, 0, 0, 0) }]),
      'E_FORMAT',
      /are cut/,
    ],
  ]
  test.each(cases)('%s', async (_name, bytes, code, message) => {
    let read = 0
    const source: ZipSource = {
      bytes: bytes.length,
      read: (begin, end) => ((read += end - begin), Promise.resolve(bytes.subarray(begin, end))),
    }
    await expect(readZip(source)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    })
    // The end, the record of 64 bits and the directory, never a file.
    expect(read).toBeLessThan(150_000)
  })
})

describe('files that lie are stopped while they are unpacked', () => {
  const bomb = zipSync({ a: new Uint8Array(8_000_000) }, { level: 9 })
  const packed = bomb.slice(31, 31 + new DataView(bomb.buffer).getUint32(18, true))
  const cases: [string, Uint8Array, RegExp][] = [
    [
      'more than said',
      archive([{ name: 'a', method: 8, content: packed, bytes: 1000 }]),
      /"a" unpacks to more than the 1000 bytes/,
    ],
    [
      'less than said',
      archive([
        {
          name: 'a',
          method: 8,
          content: zipSync({ a: text('hi') }, { level: 9 }).slice(31, 35),
          bytes: 1000,
        },
      ]),
      /"a" (unpacks to 2|cannot be)/,
    ],
    [
      'no deflated bytes',
      archive([{ name: 'a', method: 8, content: new Uint8Array(50).fill(0xff), bytes: 60 }]),
      /"a" cannot be unpacked/,
    ],
    ['nothing packed', archive([{ name: 'a', method: 8, bytes: 60 }]), /"a" unpacks to 0 bytes/],
    ['another CRC', archive([{ name: 'a', content: text('abc'), crc: 1 }]), /"a" is damaged/],
    [
      'another header',
      archive([{ name: 'a', content: text('abc') }]).map((byte, i) => (i === 0 ? 0 : byte)),
      /not where the archive says/,
    ],
  ]
  test.each(cases)('%s', async (_name, bytes, message) => {
    const files = await readZip(bytes)
    await expect(files.get('a')!.read()).rejects.toMatchObject({
      code: 'E_FORMAT',
      details: { file: 'a' },
      message: expect.stringMatching(message) as string,
    })
  })

  test('any archive with any bytes changed is read as it was, or refused with a code', async () => {
    const valid = writeZip({ 'a.txt': 'hello hello hello hello', b: Uint8Array.of(1, 2, 3) })
    const edits = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(edits, async (changes) => {
        const bytes = valid.slice()
        for (const [at, value] of changes) bytes[at] = value
        try {
          for (const file of (await readZip(bytes)).values())
            expect((await file.read()).length).toBe(file.bytes)
        } catch (error) {
          expect(error).toMatchObject({
            name: 'GraftError',
            code: expect.stringMatching(/^E_(FORMAT|LIMIT)$/) as string,
          })
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('any bytes at all are refused with a code', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
        await expect(readZip(bytes)).rejects.toMatchObject({ code: 'E_FORMAT' })
      }),
    )
    expect(ZIP_BYTES_LIMIT).toBe(4 * 1024 ** 3)
  })
})
