// What the address says of a film's head, and the strengths that a slider stops at.
import type { HeadChoice } from '../../../charts/attention.ts'

export const STRENGTHS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]

/** "3.0" for layer 3 (from 0), head 0. */
export function headText({ layer, head }: HeadChoice): string {
  return layer === 'mean' || head === 'mean' ? '' : `${layer}.${head}`
}

/** Null for anything else. */
export function headOf(text: string | undefined): HeadChoice | null {
  const found = /^(\d{1,3})\.(\d{1,3})$/.exec(text ?? '')
  return found && { layer: Number(found[1]), head: Number(found[2]) }
}
