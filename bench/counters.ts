// Counts what goes to the GPU by standing in front of WebGPU's own methods, so that the product needs no hooks and
// stock tfjs is counted by the same rule. With `dry` on, dispatches are counted and not executed: sizes and counts of a
// large model are then those of the real step, on an adapter that would need hours for it.

export interface Counts {
  dispatches: number
  submits: number
  readbacks: number
  bindGroups: number
  buffers: number
  /** Bytes from JavaScript to the GPU, and back. */
  uploadedBytes: number
  readBytes: number
  /** Bytes moved between buffers. */
  copiedBytes: number
}

const NONE: Counts = {
  dispatches: 0,
  submits: 0,
  readbacks: 0,
  bindGroups: 0,
  buffers: 0,
  uploadedBytes: 0,
  readBytes: 0,
  copiedBytes: 0,
}

const counts: Counts = { ...NONE }
let liveBytes = 0
let peakBytes = 0
let dry = false
let installed = false
const sizes = new WeakMap<GPUBuffer, number>()

export const snapshot = (): Counts => ({ ...counts })
export const dispatches = (): number => counts.dispatches
/** Bytes of all buffers that were made and not destroyed, and their highest sum since `resetPeak`. */
export const bufferBytes = (): { live: number; peak: number } => ({ live: liveBytes, peak: peakBytes })
export const resetPeak = (): void => void (peakBytes = liveBytes)
/** Whether dispatches are left out; results are then zeros. */
export const runDry = (on: boolean): void => void (dry = on)

/** What was counted between two snapshots, divided by the number of steps. */
export function between(before: Counts, after: Counts, steps = 1): Counts {
  const keys = Object.keys(NONE) as (keyof Counts)[]
  return Object.fromEntries(keys.map((key) => [key, (after[key] - before[key]) / steps])) as unknown as Counts
}

type Method = (...args: unknown[]) => unknown

/** Puts `around` in the place of a method; it is given the original, bound, and what the call was made with. */
function wrap<T extends object>(
  prototype: T,
  name: keyof T & string,
  around: (self: T, original: Method, args: unknown[]) => unknown,
): void {
  const original = prototype[name] as Method
  Object.assign(prototype, {
    [name](this: T, ...args: unknown[]) {
      return around(this, original.bind(this), args)
    },
  })
}

/** Starts counting; needs WebGPU's classes to be globals, as they are in browsers. */
export function install(): void {
  if (installed || typeof GPUDevice === 'undefined') return
  installed = true
  const pass = GPUComputePassEncoder.prototype
  for (const name of ['dispatchWorkgroups', 'dispatchWorkgroupsIndirect'] as const)
    wrap(pass, name, (_self, original, args) => {
      counts.dispatches++
      return dry ? undefined : original(...args)
    })
  wrap(GPUQueue.prototype, 'submit', (_self, original, args) => {
    counts.submits++
    return original(...args)
  })
  wrap(GPUQueue.prototype, 'writeBuffer', (_self, original, args) => {
    counts.uploadedBytes += writtenBytes(args as Parameters<GPUQueue['writeBuffer']>)
    return original(...args)
  })
  wrap(GPUCommandEncoder.prototype, 'copyBufferToBuffer', (_self, original, args) => {
    const size: unknown = args[4] ?? args[2]
    if (typeof size === 'number') counts.copiedBytes += size
    return original(...args)
  })
  const device = GPUDevice.prototype
  wrap(device, 'createBindGroup', (_self, original, args) => {
    counts.bindGroups++
    return original(...args)
  })
  wrap(device, 'createBuffer', (_self, original, args) => {
    const buffer = original(...args) as GPUBuffer
    const { size, mappedAtCreation = false } = args[0] as GPUBufferDescriptor
    counts.buffers++
    if (mappedAtCreation) counts.uploadedBytes += size
    sizes.set(buffer, size)
    liveBytes += size
    peakBytes = Math.max(peakBytes, liveBytes)
    return buffer
  })
  const buffer = GPUBuffer.prototype
  wrap(buffer, 'destroy', (self, original) => {
    liveBytes -= sizes.get(self) ?? 0
    sizes.delete(self)
    return original()
  })
  wrap(buffer, 'mapAsync', (self, original, args) => {
    if (args[0] === GPUMapMode.READ) {
      counts.readbacks++
      counts.readBytes += self.size
    }
    return original(...args)
  })
  wrap(buffer, 'getMappedRange', (self, original, args) => {
    const range = original(...args) as ArrayBuffer
    // What was not computed is not read as a number by chance.
    if (dry && self.usage & GPUBufferUsage.MAP_READ) new Uint8Array(range).fill(0)
    return range
  })
}

/** Bytes of a writeBuffer call; offset and size count elements of a typed array. */
function writtenBytes([, , data, offset = 0, size]: Parameters<GPUQueue['writeBuffer']>): number {
  const element = 'BYTES_PER_ELEMENT' in data ? (data.BYTES_PER_ELEMENT as number) : 1
  return size === undefined ? data.byteLength - offset * element : size * element
}
