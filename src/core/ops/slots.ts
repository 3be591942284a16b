// Looking up the slots of the flat buffers.
import { GraftError } from '../../protocol/errors.ts'
import type { Slot } from './ops.ts'

/** The slot, or E_INTERNAL where the name or the number of elements is not the one registered. */
export function slotNamed(slots: readonly Slot[], name: string, size: number): Slot {
  const slot = slots.find((candidate) => candidate.name === name)
  if (!slot) throw new GraftError('E_INTERNAL', `No trainable tensor is called ${name}.`, { name })
  if (slot.size !== size)
    throw new GraftError(
      'E_INTERNAL',
      `The gradient of ${name} has ${size} elements instead of ${slot.size}.`,
      { name },
    )
  return slot
}

/** Elements from `start` on to the next run that the optimizer treats alike. */
export interface SlotRun {
  start: number
  decay: boolean
  rate: number
}

/** As few runs as possible, in order, the first from 0 on; the gaps between slots go along. */
export function slotRuns(slots: readonly Slot[]): SlotRun[] {
  const runs: SlotRun[] = []
  for (const { decay, rate, offset } of [...slots].sort((a, b) => a.offset - b.offset)) {
    const last = runs.at(-1)
    if (last && last.decay === decay && last.rate === rate) continue
    runs.push({ start: last ? offset : 0, decay, rate })
  }
  return runs
}
