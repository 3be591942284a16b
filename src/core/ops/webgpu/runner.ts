// Runs WGSL on the device that tfjs uses, between its own dispatches: in the same compute pass, over the same pool of
// buffers. The declarations are written here rather than by tfjs's `runWebGPUProgram`, which has one writable buffer, one
// type of element for all, and builtins that WGSL does not take for uniform. Tensors are passed flat: kernels do their
// own indexing, and a pipeline depends on nothing but the kernel's name, its variant and the types of its bindings.
import { backend as currentBackend, engine, type Tensor, type TensorInfo } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'
import { now, type Changing } from '../changing.ts'

/** A number in the struct of uniforms; a changing one is asked for at every replay of a recorded step. */
export interface Uniform {
  type: 'i32' | 'u32' | 'f32'
  value: Changing
}
export const i32 = (value: Changing): Uniform => ({ type: 'i32', value })
export const u32 = (value: Changing): Uniform => ({ type: 'u32', value })
export const f32 = (value: Changing): Uniform => ({ type: 'f32', value })

/** A tensor whose numbers the code reads as elements of another type. */
export interface Bound {
  tensor: Tensor
  type: 'vec4<f32>' | 'vec2<i32>'
}

export interface Kernel {
  name: string
  /** Everything that changes the code beside the name: it is part of the key of the pipeline. */
  variant?: string
  /** Read-only arrays, by their names in the code. */
  inputs: Record<string, Tensor | Bound>
  /** Read in the code as `uniforms.name`. */
  uniforms: Record<string, Uniform>
  /** Threads of a workgroup. */
  workgroup: [number, number, number]
  /** Workgroups; a single number is folded into two dimensions, and `groupIndex()` counts them. */
  groups: number | [number, number, number]
  /** Functions, with `fn main() {` among them. */
  code: string
  /** Extensions of the language that the code needs; the device must have been made with them. */
  enable?: readonly ('f16' | 'subgroups')[]
}

/** WebGPU's guaranteed number of workgroups in one dimension. */
const MAX_GROUPS = 65_535

/** Takes dispatches instead of the device (recording.ts). */
export interface Capture {
  /** A new tensor that kernels will write. */
  made(tensor: TensorInfo): void
  take(dispatch: Dispatch): void
}

/** A kernel with all that it needs to run. */
export interface Dispatch {
  compiled: Compiled
  bindings: readonly Binding[]
  uniforms: readonly Uniform[]
  groups: [number, number, number]
}

let capture: Capture | null = null

/** Hands all dispatches of `work` to `to`, or with null to the device again. */
export function capturing<T>(to: Capture | null, work: () => T): T {
  const before = capture
  capture = to
  try {
    return work()
  } finally {
    capture = before
  }
}

/** What tfjs 4.22's backend records dispatches with. */
interface Recorder {
  commandEncoder: GPUCommandEncoder | null
  computePassEncoder: GPUComputePassEncoder | null
  /** Tensors whose buffers are not recycled before the next submit. */
  commandQueueOwnedIds: WeakSet<object>
  uniformPendingDisposal: GPUBuffer[]
  dispatchCountInPass: number
  ensureCommandEncoderReady(): void
  endComputePassEncoder(): void
  submitQueue(): void
}

/** Dispatches between two submits: tfjs's own measure (WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE). */
const SUBMIT_EVERY = 15

/** Linear index of the workgroup, for kernels started with one number of groups, and what functions besides main see of
 *  the thread. */
const PRELUDE = `
  var<private> localId : vec3<u32>;
  var<private> localIndex : u32;
  var<private> workgroupId : vec3<u32>;
  var<private> numWorkgroups : vec3<u32>;
  fn enter(id : vec3<u32>, index : u32, group : vec3<u32>, groups : vec3<u32>) {
    localId = id;
    localIndex = index;
    workgroupId = group;
    numWorkgroups = groups;
  }
  fn groupIndex() -> i32 { return i32(workgroupId.y * numWorkgroups.x + workgroupId.x); }
`

/** Runs a kernel that writes every element of a new float32 tensor of the given shape. */
export function run(kernel: Kernel, shape: number[]): Tensor {
  return runAll(kernel, { result: shape }).result
}

/** Runs a kernel that writes every element of several new float32 tensors, by their names in the code. */
export function runAll<Name extends string>(
  kernel: Kernel,
  shapes: Record<Name, number[]>,
): Record<Name, Tensor> {
  const names = Object.keys(shapes) as Name[]
  const outputs = Object.fromEntries(names.map((name) => [name, scratch(shapes[name])]))
  dispatch(kernel, outputs)
  return outputs as Record<Name, Tensor>
}

/** Runs a kernel on an existing tensor, which it may read and write as `result`; on further ones by their names. */
export function runInPlace(kernel: Kernel, target: Tensor, others: Record<string, Tensor> = {}): void {
  const written = { result: target, ...others }
  dispatch(kernel, written)
  if (!capture) for (const tensor of Object.values(written)) forgetCopy(tensor)
}

/** A copy that tfjs keeps from an earlier read is out of date when a kernel has written the tensor. */
export function forgetCopy({ dataId }: TensorInfo): void {
  const { tensorMap } = currentBackend() as WebGPUBackend
  ;(tensorMap.get(dataId) as { values: unknown }).values = null
}

/** A float32 tensor whose elements are whatever the buffer held before: for kernels that write before they read. */
export function scratch(shape: number[]): Tensor {
  const info = (currentBackend() as WebGPUBackend).makeTensorInfo(shape, 'float32')
  capture?.made(info)
  return engine().makeTensorFromTensorInfo(info)
}

/** Buffers that a kernel may be bound to on this device, its outputs included. */
export function maxBindings(): number {
  return (currentBackend() as WebGPUBackend).device.limits.maxStorageBuffersPerShaderStage
}

function dispatch(kernel: Kernel, written: Record<string, TensorInfo>): void {
  const backend = currentBackend() as WebGPUBackend
  const recorder = backend as unknown as Recorder
  const bindings = bindingsOf(kernel, written)
  const groups = typeof kernel.groups === 'number' ? folded(kernel.groups) : kernel.groups
  const compiled = pipelineFor(backend.device, kernel, bindings)
  if (capture) return capture.take({ compiled, bindings, uniforms: Object.values(kernel.uniforms), groups })
  for (const { tensor } of bindings) {
    backend.uploadToGPU(tensor.dataId)
    recorder.commandQueueOwnedIds.add(tensor.dataId)
  }
  const { pipeline, layout } = compiled
  const buffers = [
    ...bindings.map(({ tensor }) => backend.tensorMap.get(tensor.dataId).resource as GPUBuffer),
    uniformBuffer(backend, Object.values(kernel.uniforms)),
  ]
  const group = backend.device.createBindGroup({
    layout,
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  })
  recorder.ensureCommandEncoderReady()
  recorder.computePassEncoder ??= recorder.commandEncoder!.beginComputePass()
  const pass = recorder.computePassEncoder
  pass.setPipeline(pipeline)
  pass.setBindGroup(0, group)
  pass.dispatchWorkgroups(...groups)
  if (++recorder.dispatchCountInPass >= SUBMIT_EVERY) {
    recorder.endComputePassEncoder()
    recorder.submitQueue()
  }
}

/** A kernel to be put into passes of the caller's own, as often as it likes: what the tuner times. */
export function prepare(
  kernel: Kernel,
  written: Record<string, TensorInfo>,
): { encode(pass: GPUComputePassEncoder): void; release(): void } {
  const backend = currentBackend() as WebGPUBackend
  const { device } = backend
  const bindings = bindingsOf(kernel, written)
  for (const { tensor } of bindings) backend.uploadToGPU(tensor.dataId)
  const { pipeline, layout } = pipelineFor(device, kernel, bindings)
  const numbers = Object.values(kernel.uniforms)
  const view = new DataView(new ArrayBuffer(uniformBytes(numbers)))
  writeUniforms(view, 0, numbers)
  const uniforms = device.createBuffer({
    size: view.byteLength,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM,
  })
  device.queue.writeBuffer(uniforms, 0, view.buffer)
  const buffers = [
    ...bindings.map(({ tensor }) => backend.tensorMap.get(tensor.dataId).resource as GPUBuffer),
    uniforms,
  ]
  const group = device.createBindGroup({
    layout,
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  })
  return {
    encode(pass) {
      pass.setPipeline(pipeline)
      pass.setBindGroup(0, group)
      pass.dispatchWorkgroups(...(typeof kernel.groups === 'number' ? folded(kernel.groups) : kernel.groups))
    },
    release: () => uniforms.destroy(),
  }
}

function bindingsOf(kernel: Kernel, written: Record<string, TensorInfo>): Binding[] {
  return [
    ...Object.entries(written).map(([name, tensor]) => ({
      name,
      tensor,
      type: elementOf(tensor),
      writable: true,
    })),
    ...Object.entries(kernel.inputs).map(([name, input]) =>
      'type' in input
        ? { name, ...input, writable: false }
        : { name, tensor: input, type: elementOf(input), writable: false },
    ),
  ]
}

export interface Binding {
  name: string
  tensor: TensorInfo
  type: string
  writable: boolean
}

export interface Compiled {
  pipeline: GPUComputePipeline
  layout: GPUBindGroupLayout
}

const compiled = new WeakMap<GPUDevice, Map<string, Compiled>>()

function pipelineFor(device: GPUDevice, kernel: Kernel, bindings: readonly Binding[]): Compiled {
  const { known, key } = placeOf(device, kernel, bindings)
  const found = known.get(key)
  if (found) return found
  const { layout, descriptor } = described(device, kernel, bindings)
  const pipeline = device.createComputePipeline(descriptor)
  known.set(key, { pipeline, layout })
  return { pipeline, layout }
}

/** Compiles a kernel beside other work; it then runs at once. @throws GPUPipelineError where the device refuses it */
export async function compileAhead(kernel: Kernel, written: Record<string, TensorInfo>): Promise<void> {
  const { device } = currentBackend() as WebGPUBackend
  const bindings = bindingsOf(kernel, written)
  const { known, key } = placeOf(device, kernel, bindings)
  if (known.has(key)) return
  // A refusal is the caller's to hear, not the device's to report.
  device.pushErrorScope('validation')
  const { layout, descriptor } = described(device, kernel, bindings)
  const compiling = device.createComputePipelineAsync(descriptor)
  void device.popErrorScope()
  const pipeline = await compiling
  known.set(key, { pipeline, layout })
}

function placeOf(device: GPUDevice, kernel: Kernel, bindings: readonly Binding[]) {
  const known = compiled.get(device) ?? new Map<string, Compiled>()
  compiled.set(device, known)
  const types = bindings.map(({ name, type }) => `${name}:${type}`).join()
  return { known, key: `${kernel.name} ${kernel.variant ?? ''} ${types}` }
}

function described(device: GPUDevice, kernel: Kernel, bindings: readonly Binding[]) {
  const layout = device.createBindGroupLayout({
    entries: [
      ...bindings.map(({ writable }) => (writable ? 'storage' : 'read-only-storage') as GPUBufferBindingType),
      'uniform' as const,
    ].map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
  })
  const descriptor: GPUComputePipelineDescriptor = {
    label: kernel.name,
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: {
      module: device.createShaderModule({ label: kernel.name, code: sourceOf(kernel, bindings) }),
      entryPoint: 'main',
    },
  }
  return { layout, descriptor }
}

function sourceOf({ uniforms, workgroup, code, enable = [] }: Kernel, bindings: readonly Binding[]): string {
  const fields = Object.entries(uniforms).map(([name, { type }]) => `${name} : ${type}, `)
  const arrays = bindings.map(
    ({ name, type, writable }, place) =>
      `@group(0) @binding(${place}) var<storage, ${writable ? 'read_write' : 'read'}> ${name} : array<${type}>;`,
  )
  const main = `
  @compute @workgroup_size(${workgroup.join(', ')})
  fn main(
    @builtin(local_invocation_id) localId : vec3<u32>,
    @builtin(local_invocation_index) localIndex : u32,
    @builtin(workgroup_id) workgroupId : vec3<u32>,
    @builtin(num_workgroups) numWorkgroups : vec3<u32>,
  ) {
    enter(localId, localIndex, workgroupId, numWorkgroups);`
  return `
  ${enable.map((name) => `enable ${name};`).join(' ')}
  struct Uniforms { ${fields.join('') || 'none : i32'} };
  ${arrays.join('\n  ')}
  @group(0) @binding(${bindings.length}) var<uniform> uniforms : Uniforms;
  ${PRELUDE}
  ${code.replace('fn main() {', main)}`
}

/** Bytes of a struct of uniforms. */
export function uniformBytes(uniforms: readonly Uniform[]): number {
  return Math.max(16, 4 * uniforms.length)
}

/** Writes the struct, as the numbers are now, at `offset` bytes. */
export function writeUniforms(view: DataView, offset: number, uniforms: readonly Uniform[]): void {
  uniforms.forEach(({ type, value }, place) => {
    const at = offset + 4 * place
    if (type === 'f32') view.setFloat32(at, now(value), true)
    else if (type === 'u32') view.setUint32(at, now(value), true)
    else view.setInt32(at, now(value), true)
  })
}

/** The numbers in a buffer of tfjs's pool, which takes it back after the next submit. */
function uniformBuffer(backend: WebGPUBackend, uniforms: readonly Uniform[]): GPUBuffer {
  const view = new DataView(new ArrayBuffer(uniformBytes(uniforms)))
  writeUniforms(view, 0, uniforms)
  const usage = GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM
  const buffer = backend.bufferManager.acquireBuffer(view.byteLength, usage)
  backend.queue.writeBuffer(buffer, 0, view.buffer)
  ;(backend as unknown as Recorder).uniformPendingDisposal.push(buffer)
  return buffer
}

function elementOf({ dtype }: TensorInfo): string {
  return dtype === 'int32' ? 'i32' : 'f32'
}

function folded(groups: number): [number, number, number] {
  const rows = Math.ceil(groups / MAX_GROUPS)
  return [Math.ceil(groups / rows), rows, 1]
}

/** Threads of kernels with one thread for each element. */
export const LINE = 256

/** Groups of LINE threads that cover `count` elements; in the code: `groupIndex() * 256 + i32(localIndex)`. */
export function lines(count: number): number {
  return Math.max(1, Math.ceil(count / LINE))
}

/** Declares `at`, the thread's element, and returns where there is none. */
export const ELEMENT = `
    let at = groupIndex() * ${LINE} + i32(localIndex);
    if (at >= uniforms.count) { return; }
`
