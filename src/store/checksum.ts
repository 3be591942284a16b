// Checksums that servers publish for files: SHA-256 of the content (Git LFS), or Git's own name of a file, which is
// the SHA-1 of "blob <length>\0" and the content (git-hash-object; "Git Objects" in the Git book).
import { sha1 } from '@noble/hashes/legacy.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'

export interface Checksum {
  algorithm: 'sha256' | 'git'
  hex: string
}

/** An incremental checksum of a file of `bytes` bytes; `hex()` ends it. */
export function checksumOf(
  algorithm: Checksum['algorithm'],
  bytes: number,
): { update(piece: Uint8Array): void; hex(): string } {
  const hasher = algorithm === 'sha256' ? sha256.create() : sha1.create()
  if (algorithm === 'git') hasher.update(new TextEncoder().encode(`blob ${bytes}\0`))
  return {
    update: (piece) => void hasher.update(piece),
    hex: () => bytesToHex(hasher.digest()),
  }
}
