// The memory estimate as a sentence, with what to change where it does not fit.
import { PRECISIONS, type MemoryEstimate, type Precision } from '../../protocol/model.ts'

const NAMES: Record<Precision, string> = {
  f32: 'full precision (f32)',
  f16: 'half precision (f16)',
  int8: '8 bits a weight (int8)',
  nf4: '4 bits a weight (nf4)',
}

export function sentenceOf(
  { precision, bytes, fit, budget, byPrecision }: Omit<MemoryEstimate, 'sentence'>,
  { batchSize, maxLength }: { batchSize: number; maxLength: number },
): string {
  const needs = `Training takes about ${readable(bytes)} in ${NAMES[precision]}, of the ${readable(budget)} that this device is taken to have.`
  if (fit === 'fits') return `${needs} It fits.`
  const better = PRECISIONS.find(
    (each) => byPrecision[each].fit === 'fits' && byPrecision[each].bytes < bytes,
  )
  const smaller = [
    ...(better ? [`take ${NAMES[better]}`] : []),
    ...(batchSize > 1 ? ['use smaller batches with accumulation'] : []),
    ...(maxLength > 64 ? ['shorten the examples'] : []),
    ...(better ? [] : ['choose a smaller model']),
  ]
  const advice = smaller.length > 1 ? `${smaller.slice(0, -1).join(', ')} or ${smaller.at(-1)}` : smaller[0]!
  return fit === 'tight'
    ? `${needs} It is tight: if it fails, ${advice}.`
    : `${needs} It does not fit: ${advice}.`
}

/** Where the trained weights do not fit into one buffer of the device. */
export function bufferSentence(weights: number, bytes: number, largest: number): string {
  return `Training ${weights.toLocaleString('en')} weights needs a buffer of ${readable(bytes)}, and this device's largest has ${readable(largest)}. Train fewer: an adapter, a lower rank, or fewer layers.`
}

/** Bytes in words: "310 MB", "4.3 GB". */
export function readable(bytes: number): string {
  const megabytes = bytes / 1e6
  if (megabytes < 1000) return `${Math.max(1, Math.round(megabytes))} MB`
  return `${(megabytes / 1000).toFixed(1)} GB`
}
