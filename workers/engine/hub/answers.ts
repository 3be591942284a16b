// What goes to the Hub and comes from it, checked: ids, tokens, entries of file lists, ranges.
import { GraftError } from '../../../src/protocol/errors.ts'
import type { Checksum } from '../../../src/store/checksum.ts'
import { cut, notIt, type Subject } from './failure.ts'

export interface HubFile {
  /** Path in the repository. */
  path: string
  bytes: number
  /** SHA-256 of large files, Git's name of small ones. */
  checksum?: Checksum
}

/** owner/name, or a name alone, as a path. Throws E_ARGUMENT. */
export function repositoryPath(repository: string): string {
  if (!/^[\w.-]+(\/[\w.-]+)?$/.test(repository) || /(^|\/)\.+(\/|$)/.test(repository))
    throw new GraftError(
      'E_ARGUMENT',
      `"${repository}" is not the id of a model on the Hub. Ids look like owner/name.`,
      { hub: repository },
    )
  return repository
}

export function headerValue(token: string): string {
  const value = token.trim()
  // Not quoted in the message: it would end up in reports.
  if (!/^[\x21-\x7e]+$/.test(value))
    throw new GraftError('E_ARGUMENT', 'The access token holds characters that no token has. Copy it again.')
  return value
}

export function parse(text: string, subject: Subject, status: number): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw notIt(subject, status)
  }
}

export function fileOf(entry: unknown): HubFile | null {
  const { type, path, size, oid, lfs } = Object(entry) as Record<string, unknown>
  if (type !== 'file' || typeof path !== 'string') return null
  const large = Object(lfs) as Record<string, unknown>
  const bytes = large['size'] ?? size
  if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 0) return null
  if (isHex(large['oid'], 64)) return { path, bytes, checksum: { algorithm: 'sha256', hex: large['oid'] } }
  if (lfs === undefined && isHex(oid, 40)) return { path, bytes, checksum: { algorithm: 'git', hex: oid } }
  return { path, bytes }
}

function isHex(value: unknown, digits: number): value is string {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/.test(value)
}

/** Throws E_HASH where the answer is of another place or another file; what is not exposed is not checked. */
export function checkRange(response: Response, begin: number, total: number, subject: Subject): void {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '')
  if (response.status !== 206 || !range) return
  if (range[2] !== '*' && Number(range[2]) !== total) throw tooLong(subject, total, Number(range[2]))
  if (Number(range[1]) !== begin) throw cut(subject, begin)
}

export function tooLong({ url, what }: Subject, bytes: number, found?: number): GraftError {
  const says = found === undefined ? 'more' : String(found)
  return new GraftError(
    'E_HASH',
    `${url.host} sends ${says} bytes for ${what}, which should have ${bytes}. Nothing of it was kept; load it again.`,
    { host: url.host, file: what, bytes, found },
  )
}
