// Which of several ways is fastest: each is timed a few times within a bounded time. Pure, so that it is tested without a
// GPU.

export interface Contest {
  /** The first stands where nothing is clearly faster. */
  settings: readonly string[]
  /** Milliseconds of one way; throws where the device refuses it. */
  time(setting: string): Promise<number>
  /** Milliseconds of any clock. */
  now(): number
  /** Milliseconds after which no further way is tried. */
  budget: number
  signal?: AbortSignal | undefined
}

export interface Outcome {
  setting: string
  /** Milliseconds of each that was timed; null: the device refused it. */
  times: Record<string, number | null>
}

/** How much faster than the default another way has to be: less is noise. */
const CLEARLY = 0.97
const ROUNDS = 3

/** Throws what the signal was aborted with; what was found until then is lost. */
export async function fastest({ settings, time, now, budget, signal }: Contest): Promise<Outcome> {
  const end = now() + budget
  const times: Record<string, number | null> = {}
  for (const setting of settings) {
    signal?.throwIfAborted()
    // The default has to be known, or nothing can be called faster.
    if (setting !== settings[0] && now() >= end) break
    times[setting] = await best(setting, time, () => now() >= end, signal)
  }
  const first = settings[0]!
  let setting = first
  for (const other of settings.slice(1)) {
    const [mine, theirs] = [times[other], times[setting]]
    // Where the default itself was refused, anything that runs is better.
    if (typeof mine !== 'number') continue
    const limit = typeof theirs === 'number' ? theirs * (setting === first ? CLEARLY : 1) : Infinity
    if (mine < limit) setting = other
  }
  return { setting, times }
}

/** The least of some rounds: whatever else the machine does only ever adds. */
async function best(
  setting: string,
  time: Contest['time'],
  late: () => boolean,
  signal?: AbortSignal,
): Promise<number | null> {
  let least = Infinity
  for (let round = 0; round < ROUNDS; round++) {
    signal?.throwIfAborted()
    try {
      const took = await time(setting)
      if (Number.isFinite(took) && took > 0) least = Math.min(least, took)
    } catch {
      return null
    }
    if (late()) break
  }
  return Number.isFinite(least) ? least : null
}
