// The states of a run in the words and tones of the page.
import type { RunStatus } from '../../protocol/run.ts'

export const STATUS: Record<
  RunStatus,
  { label: string; tone: 'neutral' | 'good' | 'warn' | 'bad' | 'info' }
> = {
  queued: { label: 'Waiting', tone: 'info' },
  running: { label: 'Running', tone: 'info' },
  paused: { label: 'Paused', tone: 'warn' },
  interrupted: { label: 'Interrupted', tone: 'warn' },
  done: { label: 'Done', tone: 'good' },
  stopped: { label: 'Stopped', tone: 'neutral' },
  failed: { label: 'Failed', tone: 'bad' },
}

/** Runs that can go on from where they are. */
export function resumable(status: RunStatus): boolean {
  return status === 'paused' || status === 'interrupted'
}
