// The hash of a source: that of its bytes; of a large one, that of its pieces' hashes.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { hashFiles, PIECES_WAITING, RunningHash } from '../../workers/import/hash.ts'

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 31) % 251)
const files = [new File([bytes.slice(0, 333)], 'a'), new File([bytes.slice(333)], 'b')]

test('files one after the other', async () => {
  expect(await hashFiles(files)).toBe(sha256(bytes).toString('hex'))
})
test('a large source piece by piece, across the borders of files', async () => {
  const pieces = [0, 400, 800].map((at) => sha256(bytes.slice(at, at + 400)))
  expect(await hashFiles(files, undefined, 999, 400)).toBe(sha256(Buffer.concat(pieces)).toString('hex'))
})

test('whoever reads waits while too many pieces wait for their hash', async () => {
  const release: ((hash: ArrayBuffer) => void)[] = []
  const digest = (): Promise<ArrayBuffer> => new Promise((resolve) => release.push(resolve))
  const pieces = PIECES_WAITING + 7
  const hash = new RunningHash(100 * pieces, digest, 0, 100)
  let taken = 0
  const reading = (async () => {
    for (; taken < pieces; taken++) await hash.add(new Uint8Array(100))
  })()
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))
  await turn()
  expect([taken, release.length]).toEqual([PIECES_WAITING, PIECES_WAITING + 1])
  release[0]!(new ArrayBuffer(32))
  await turn()
  expect([taken, release.length]).toEqual([PIECES_WAITING + 1, PIECES_WAITING + 2])
  for (let i = 1; i < pieces; i++) {
    release[i]!(new ArrayBuffer(32))
    await turn()
  }
  await reading
  expect(await hash.hex()).toBe(sha256(new Uint8Array(32 * pieces)).toString('hex'))
})
