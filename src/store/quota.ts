// Room in the browser's storage: asking to keep it, measuring it, and saying clearly when it runs out.
import { GraftError } from '../protocol/errors.ts'

export interface StorageRoom {
  /** Bytes this site uses. */
  used: number
  /** Bytes this site may use. */
  quota: number
  free: number
}

/** Room of this site, or null where the browser does not tell. */
export async function storageRoom(): Promise<StorageRoom | null> {
  const estimate = await storageManager()?.estimate?.()
  if (estimate?.usage === undefined || estimate.quota === undefined) return null
  return { used: estimate.usage, quota: estimate.quota, free: Math.max(0, estimate.quota - estimate.usage) }
}

/**
 * Throws E_STORAGE, naming the needed and free bytes, where that much more does not fit. Refuses nothing where the
 * browser does not tell its room.
 */
export async function requireRoom(neededBytes: number, what: string): Promise<void> {
  const freeBytes = (await storageRoom().catch(() => null))?.free
  if (freeBytes === undefined || neededBytes <= freeBytes) return
  throw new GraftError(
    'E_STORAGE',
    `${what} needs ${megabytes(neededBytes)}, but the browser gives this site only ${megabytes(freeBytes)} more. Remove a model, dataset or run, or free space on the disk, then try again.`,
    { reason: 'quota', neededBytes, freeBytes },
  )
}

let asked: Promise<boolean> | undefined

/**
 * Asks the browser, once, not to evict this site's data; call it at the first save. Browsers answer only a page:
 * in a worker it says whether the data is already kept.
 */
export function keepStorage(): Promise<boolean> {
  asked ??= (async () => {
    const storage = storageManager()
    if (!storage) return false
    if (await storage.persisted?.()) return true
    return (await storage.persist?.()) ?? false
  })().catch(() => false)
  return asked
}

/** Runs work on the database; its failures become E_STORAGE, with the needed and free bytes when room ran out. */
export async function guarded<T>(work: () => PromiseLike<T>, neededBytes?: number): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    throw await storageError(thrown, neededBytes)
  }
}

async function storageError(thrown: unknown, neededBytes?: number): Promise<GraftError> {
  if (thrown instanceof GraftError) return thrown
  const causes = chain(thrown)
  if (causes.some((cause) => cause.name === 'QuotaExceededError')) {
    const freeBytes = (await storageRoom().catch(() => null))?.free
    return noRoom({ neededBytes, freeBytes }, thrown)
  }
  if (causes.some((cause) => cause.name === 'DatabaseClosedError' || cause.name === 'InvalidStateError'))
    return new GraftError(
      'E_STORAGE',
      'The browser closed the database: its data was cleared, or another tab runs a newer Graft. Reload the page.',
      { reason: 'closed' },
      { cause: thrown },
    )
  const message = causes[0]?.message ?? String(thrown)
  return new GraftError(
    'E_STORAGE',
    `The browser's storage refused: ${message}. Reload the page; in a private window, open a normal one.`,
    { reason: 'refused' },
    { cause: thrown },
  )
}

interface Room {
  neededBytes: number | undefined
  freeBytes: number | undefined
}

/** Some browsers tell a round number in place of the room that there is, so that nobody is known by it. */
function noRoom({ neededBytes, freeBytes }: Room, cause: unknown, what?: string): GraftError {
  const needed = neededBytes === undefined ? '' : megabytes(neededBytes)
  const free = freeBytes === undefined ? '' : megabytes(freeBytes)
  const doubtful = freeBytes !== undefined && freeBytes > (neededBytes ?? 0)
  const said = what
    ? `${what} needs ${needed}, and the browser refused to store all of it`
    : 'The browser has no room left for this site'
  const numbers = doubtful
    ? `, although it speaks of ${free} free: the disk, or the browser's own limit, has less`
    : what
      ? free && `: ${free} free`
      : needed || free
        ? `: ${[needed && `${needed} needed`, free && `${free} free`].filter(Boolean).join(', ')}`
        : ''
  return new GraftError(
    'E_STORAGE',
    `${said}${numbers}. Remove a dataset, run or model, or free space on the disk, then try again.`,
    { reason: 'quota', neededBytes, freeBytes },
    { cause },
  )
}

/** Room that ran out within a larger work names what the whole of it needs; other errors stay as they are. */
export function asWhole(error: unknown, neededBytes: number, what: string): unknown {
  if (!(error instanceof GraftError) || error.details.reason !== 'quota') return error
  const { freeBytes, ...told } = error.details as { freeBytes?: number; neededBytes?: number }
  if (told.neededBytes === neededBytes) return error
  return noRoom({ neededBytes, freeBytes }, error, what)
}

/** An error and those inside it: Dexie's `inner`, the language's `cause`. */
function chain(thrown: unknown): Error[] {
  const found: Error[] = []
  let next: unknown = thrown
  while (next instanceof Error || isDomException(next)) {
    if (found.includes(next)) break
    found.push(next)
    next = (next as Error & { inner?: unknown }).inner ?? next.cause
  }
  return found
}

function isDomException(value: unknown): value is Error {
  return typeof DOMException !== 'undefined' && value instanceof DOMException
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`
}

interface StorageLike {
  estimate?(): Promise<{ usage?: number; quota?: number }>
  persist?(): Promise<boolean>
  persisted?(): Promise<boolean>
}

function storageManager(): StorageLike | undefined {
  return (globalThis as { navigator?: { storage?: StorageLike } }).navigator?.storage
}
