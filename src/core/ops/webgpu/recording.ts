// A recorded step on WebGPU. While `work` is recorded nothing reaches the device: kernels are compiled, and each dispatch
// is noted with the tensors it is bound to. A tensor that was made within lives from the first dispatch that names it to
// the last, and gets a buffer of the arena for that time (sharing.ts); bind groups and one buffer with all uniforms are made
// once. A replay writes the numbers that change and encodes the list: no tensor, no bind group, no buffer is made.
import { backend as currentBackend, type TensorInfo } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { GraftError } from '../../../protocol/errors.ts'
import { submitPending } from '../../backend/errorScopes.ts'
import type { Recording } from '../recorder.ts'
import type { Arena } from './arena.ts'
import { suspendable, type Suspendable } from './once.ts'
import { capturing, forgetCopy, uniformBytes, writeUniforms } from './runner.ts'
import type { Capture, Dispatch, Uniform } from './runner.ts'
import { shareBuffers, type Lifetime, type Sharing } from './sharing.ts'

/** Dispatches between two submits: the GPU begins with the first while the last are still encoded. */
const SUBMIT_EVERY = 256
/** WebGPU's strictest alignment of uniforms in a buffer. */
const ALIGNMENT = 256

/** Thrown inside of work that cannot be recorded. */
class NotRecordable extends Error {}

/** A tensor from outside, with the buffer that it had. */
interface Outside {
  tensor: TensorInfo
  buffer: GPUBuffer
  written: boolean
}

interface Noted {
  dispatch: Dispatch
  /** For each binding a tensor from within by its number, or one from outside. */
  bound: (number | Outside)[]
}

/** What tfjs makes while work is recorded is found out by standing in front of its methods. */
interface Watched {
  runWebGPUProgram: unknown
  shouldExecuteOnCPU: unknown
  tensorMap: {
    has(id: object): boolean
    get(id: object): { resource?: unknown }
    set(id: object, value: unknown): void
  }
}

class Noting implements Capture, Suspendable {
  readonly noted: Noted[] = []
  readonly lifetimes: Lifetime[] = []
  readonly outside = new Map<object, Outside>()
  readonly #backend: WebGPUBackend
  readonly #within = new Map<object, number>()
  /** Of tensors that were made by tfjs: their numbers may differ the next time. */
  readonly #foreign = new WeakSet<object>()
  #suspended = false

  constructor(backend: WebGPUBackend) {
    this.#backend = backend
  }

  run(work: () => void): void {
    const backend = this.#backend as unknown as Watched
    const { tensorMap } = backend
    const set = tensorMap.set.bind(tensorMap)
    for (const name of ['runWebGPUProgram', 'shouldExecuteOnCPU'] as const) {
      const original = (this.#backend[name] as (...given: unknown[]) => unknown).bind(this.#backend)
      backend[name] = (...given: unknown[]) => {
        if (!this.#suspended) throw new NotRecordable('an op of tfjs')
        return original(...given)
      }
    }
    tensorMap.set = (id, value) => {
      if (!this.#suspended) this.#foreign.add(id)
      set(id, value)
    }
    try {
      suspendable(this, () => capturing(this, work))
    } finally {
      // The prototypes' own methods come to light again.
      delete (backend as Partial<Watched>).runWebGPUProgram
      delete (backend as Partial<Watched>).shouldExecuteOnCPU
      delete (tensorMap as Partial<Watched['tensorMap']>).set
    }
    this.#checkGone()
  }

  suspend<T>(work: () => T): T {
    this.#suspended = true
    try {
      return capturing(null, work)
    } finally {
      this.#suspended = false
    }
  }

  made({ dataId, shape }: TensorInfo): void {
    const bytes = 4 * shape.reduce((product, extent) => product * extent, 1)
    if (bytes === 0) throw new NotRecordable('a tensor without elements')
    this.#within.set(dataId, this.lifetimes.push({ bytes, first: Infinity, last: -1 }) - 1)
  }

  take(dispatch: Dispatch): void {
    const at = this.noted.length
    const bound = dispatch.bindings.map(({ tensor, writable }) => {
      const within = this.#within.get(tensor.dataId)
      if (within === undefined) return this.#outsider(tensor, writable)
      const lifetime = this.lifetimes[within]!
      lifetime.first = Math.min(lifetime.first, at)
      lifetime.last = at
      return within
    })
    this.noted.push({ dispatch, bound })
  }

  #outsider(tensor: TensorInfo, written: boolean): Outside {
    const { dataId } = tensor
    if (this.#foreign.has(dataId)) throw new NotRecordable('a tensor that tfjs made')
    const known = this.outside.get(dataId)
    if (known) {
      known.written ||= written
      return known
    }
    this.#backend.uploadToGPU(dataId)
    const buffer = this.#backend.tensorMap.get(dataId).resource as GPUBuffer
    const found = { tensor, buffer, written }
    this.outside.set(dataId, found)
    return found
  }

  /** A tensor from within that somebody keeps would be read later, and never have been written. */
  #checkGone(): void {
    const { tensorMap } = this.#backend as unknown as Watched
    for (const id of this.#within.keys())
      if (tensorMap.has(id))
        throw new GraftError(
          'E_INTERNAL',
          'A recorded step has left a tensor behind that was never computed.',
        )
  }
}

/** Null where `work` cannot be replayed. */
export function recorded(arena: Arena, work: () => void): Recording | null {
  const backend = currentBackend() as WebGPUBackend
  const noting = new Noting(backend)
  try {
    noting.run(work)
  } catch (error) {
    if (error instanceof NotRecordable) return null
    throw error
  }
  return new GpuRecording(backend, arena, noting)
}

/** A dispatch as it is encoded. */
interface Command {
  pipeline: GPUComputePipeline
  layout: GPUBindGroupLayout
  groups: [number, number, number]
  /** Buffers from outside, or places in the arena, each with the bytes that are bound. */
  bound: { at: GPUBuffer | number; bytes: number }[]
  uniforms: { offset: number; bytes: number }
}

class GpuRecording implements Recording {
  readonly #backend: WebGPUBackend
  readonly #arena: Arena
  readonly #sharing: Sharing
  readonly #commands: Command[]
  readonly #outside: Outside[]
  readonly #uniforms: GPUBuffer
  /** Structs with numbers that change, at the beginning of the buffer. */
  readonly #changing: { offset: number; uniforms: readonly Uniform[] }[] = []
  readonly #numbers: DataView<ArrayBuffer>
  #groups: GPUBindGroup[] = []
  #generation = -1

  constructor(backend: WebGPUBackend, arena: Arena, { noted, lifetimes, outside }: Noting) {
    this.#backend = backend
    this.#arena = arena
    // A tensor that no kernel was bound to needs no room.
    this.#sharing = shareBuffers(
      lifetimes.map((each) => (each.last < 0 ? { bytes: 0, first: 0, last: 0 } : each)),
    )
    this.#outside = [...outside.values()]
    const { offsets, data, changing } = this.#layOut(noted)
    this.#numbers = new DataView(new ArrayBuffer(changing))
    const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM
    this.#uniforms = backend.bufferManager.acquireBuffer(data.byteLength, usage, false, false)
    backend.queue.writeBuffer(this.#uniforms, 0, data)
    this.#commands = noted.map(({ dispatch, bound }, i) => ({
      ...dispatch.compiled,
      groups: dispatch.groups,
      bound: bound.map((each) =>
        typeof each === 'number'
          ? { at: this.#sharing.places[each]!, bytes: lifetimes[each]!.bytes }
          : { at: each.buffer, bytes: each.buffer.size },
      ),
      uniforms: { offset: offsets[i]!, bytes: uniformBytes(dispatch.uniforms) },
    }))
  }

  get dispatches(): number {
    return this.#commands.length
  }

  intact(): boolean {
    const { tensorMap } = this.#backend
    // tfjs keeps a disposed tensor until the next submit, with no reference left.
    return this.#outside.every(({ tensor: { dataId }, buffer }) => {
      const held = tensorMap.has(dataId) ? tensorMap.get(dataId) : null
      return held !== null && held.refCount > 0 && held.resource === buffer
    })
  }

  replay(): void {
    const { device, queue } = this.#backend
    submitPending(this.#backend)
    this.#bind()
    for (const { offset, uniforms } of this.#changing) writeUniforms(this.#numbers, offset, uniforms)
    if (this.#numbers.byteLength > 0) queue.writeBuffer(this.#uniforms, 0, this.#numbers.buffer)
    for (let begin = 0; begin < this.#commands.length; begin += SUBMIT_EVERY) {
      const encoder = device.createCommandEncoder()
      const pass = encoder.beginComputePass()
      const end = Math.min(this.#commands.length, begin + SUBMIT_EVERY)
      let pipeline: GPUComputePipeline | null = null
      for (let i = begin; i < end; i++) {
        const command = this.#commands[i]!
        if (command.pipeline !== pipeline) pass.setPipeline((pipeline = command.pipeline))
        pass.setBindGroup(0, this.#groups[i]!)
        pass.dispatchWorkgroups(...command.groups)
      }
      pass.end()
      queue.submit([encoder.finish()])
    }
    for (const { tensor, written } of this.#outside) if (written) forgetCopy(tensor)
  }

  dispose(): void {
    this.#backend.bufferManager.releaseBuffer(this.#uniforms, false)
    this.#groups = []
    this.#commands.length = 0
  }

  /** Makes the bind groups, also anew where the arena has grown since. */
  #bind(): void {
    const generation = this.#arena.fit(this.#sharing.sizes)
    if (generation === this.#generation) return
    this.#generation = generation
    this.#groups = this.#commands.map(({ layout, bound, uniforms }) =>
      this.#backend.device.createBindGroup({
        layout,
        entries: [
          ...bound.map(({ at, bytes }, binding) => ({
            binding,
            resource: { buffer: typeof at === 'number' ? this.#arena.buffer(at) : at, size: bytes },
          })),
          {
            binding: bound.length,
            resource: { buffer: this.#uniforms, offset: uniforms.offset, size: uniforms.bytes },
          },
        ],
      }),
    )
  }

  /** Where each dispatch's struct lies in the buffer: those that change first, then the others, equal ones once. */
  #layOut(noted: readonly Noted[]): { offsets: number[]; data: ArrayBuffer; changing: number } {
    const offsets = new Array<number>(noted.length).fill(0)
    const changes = ({ dispatch }: Noted) =>
      dispatch.uniforms.some(({ value }) => typeof value === 'function')
    let end = 0
    const place = (uniforms: readonly Uniform[]): number => {
      const offset = end
      end += Math.ceil(uniformBytes(uniforms) / ALIGNMENT) * ALIGNMENT
      return offset
    }
    noted.forEach((each, i) => {
      if (!changes(each)) return
      const { uniforms } = each.dispatch
      offsets[i] = place(uniforms)
      this.#changing.push({ offset: offsets[i]!, uniforms })
    })
    const changing = end
    const known = new Map<string, number>()
    const fixed: { offset: number; uniforms: readonly Uniform[] }[] = []
    noted.forEach((each, i) => {
      if (changes(each)) return
      const { uniforms } = each.dispatch
      const key = uniforms.map(({ type, value }) => `${type}${String(value)}`).join()
      let offset = known.get(key)
      if (offset === undefined) {
        known.set(key, (offset = place(uniforms)))
        fixed.push({ offset, uniforms })
      }
      offsets[i] = offset
    })
    const data = new ArrayBuffer(Math.max(ALIGNMENT, end))
    const view = new DataView(data)
    for (const { offset, uniforms } of fixed) writeUniforms(view, offset, uniforms)
    return { offsets, data, changing }
  }
}
