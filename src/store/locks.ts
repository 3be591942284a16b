// Locks between tabs and workers (Web Locks). Writers share one lock, so that the sweep at boot, which wants it
// alone, never takes bytes away that another tab has written but not yet pointed at.

const WRITING = 'graft-writing'

/** Runs work that writes bytes before it points at them. */
export function whileWriting<T>(work: () => Promise<T>): Promise<T> {
  const locks = lockManager()
  return locks ? request(locks, WRITING, { mode: 'shared' }, work) : work()
}

/** Runs work only if nobody is writing; otherwise returns undefined at once. */
export function whileQuiet<T>(work: () => Promise<T>): Promise<T | undefined> {
  const locks = lockManager()
  if (!locks) return work()
  return request(locks, WRITING, { mode: 'exclusive', ifAvailable: true }, (lock) =>
    lock ? work() : Promise.resolve(undefined),
  )
}

/** Takes a lock by name for as long as the caller likes; null if another tab has it. */
export function takeLock(name: string): Promise<{ release(): void } | null> {
  const locks = lockManager()
  if (!locks) return Promise.resolve({ release: () => undefined })
  return new Promise((resolve, reject) => {
    const held = (lock: Lock | null): Promise<void> => {
      if (!lock) {
        resolve(null)
        return Promise.resolve()
      }
      return new Promise((done) => resolve({ release: done }))
    }
    request(locks, name, { mode: 'exclusive', ifAvailable: true }, held).catch(reject)
  })
}

/** Takes a lock as soon as nobody else has it; it comes late, or never, while another tab is at work. */
export function waitForLock(name: string): Promise<{ release(): void }> {
  const locks = lockManager()
  if (!locks) return Promise.resolve({ release: () => undefined })
  return new Promise((resolve, reject) => {
    request(
      locks,
      name,
      { mode: 'exclusive' },
      () => new Promise<void>((done) => resolve({ release: done })),
    ).catch(reject)
  })
}

async function request<T>(
  locks: LockManager,
  name: string,
  options: LockOptions,
  work: (lock: Lock | null) => Promise<T>,
): Promise<T> {
  return await locks.request(name, options, work)
}

function lockManager(): LockManager | undefined {
  return (globalThis as { navigator?: { locks?: LockManager } }).navigator?.locks
}
