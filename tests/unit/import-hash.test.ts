// The hash of a source: that of its bytes; of a large one, that of its pieces' hashes.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { hashFiles } from '../../workers/import/hash.ts'

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
