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

/** Elements that weight decay leaves alone, as few ranges [start, end) as possible; the gaps between slots go along. */
export function undecayedRanges(slots: readonly Slot[]): [number, number][] {
  const ranges: [number, number][] = []
  let open: [number, number] | null = null
  for (const { decay, offset, size } of [...slots].sort((a, b) => a.offset - b.offset)) {
    if (decay) {
      open = null
    } else if (open) {
      open[1] = offset + size
    } else {
      open = [offset, offset + size]
      ranges.push(open)
    }
  }
  return ranges
}
