// How busy the machine is with work that is not the bench's: looked at while the bench itself does nothing.
import { cpus } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

/** Threads that wait by spinning must have gone to sleep. */
const SETTLE_MS = 500
const LOOK_MS = 1000

/** Processors that other programs keep busy, a mean over a second: 0 on an idle machine. */
export async function otherWork(): Promise<number> {
  await pause(SETTLE_MS)
  const before = busyMs()
  const start = performance.now()
  await pause(LOOK_MS)
  return (busyMs() - before) / (performance.now() - start)
}

function busyMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0)
}
