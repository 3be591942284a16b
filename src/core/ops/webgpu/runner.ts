// Runs WGSL on the device that tfjs uses, between its own dispatches, through `runWebGPUProgram`.
// tfjs writes the declarations (binding 0 is the one writable `result`, then the read-only inputs, then one struct of
// uniforms), caches pipelines by key, and recycles buffers. Tensors are passed flat: kernels do their own indexing,
// and a pipeline then depends on nothing but the kernel's name and constants.
import { backend as currentBackend, engine, type Tensor, type TensorInfo } from '@tensorflow/tfjs-core'
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu'

type Program = Parameters<WebGPUBackend['runWebGPUProgram']>[0]

/** A number in the struct of uniforms. */
export interface Uniform {
  type: 'i32' | 'u32' | 'f32'
  value: number
}
export const i32 = (value: number): Uniform => ({ type: 'i32', value })
export const u32 = (value: number): Uniform => ({ type: 'u32', value: value >>> 0 })
export const f32 = (value: number): Uniform => ({ type: 'f32', value })

export interface Kernel {
  name: string
  /** Everything that changes the code beside the name: it is part of the key of the pipeline. */
  variant?: string
  /** Read-only arrays, by their names in the code. */
  inputs: Record<string, Tensor>
  /** Read in the code as `uniforms.name`. */
  uniforms: Record<string, Uniform>
  /** Threads of a workgroup. */
  workgroup: [number, number, number]
  /** Workgroups; a single number is folded into two dimensions, and `groupIndex()` counts them. */
  groups: number | [number, number, number]
  /** Functions, with `fn main()` among them. */
  code: string
}

const UNIFORM_TYPES = { i32: 'int32', u32: 'uint32', f32: 'float32' } as const

/** WebGPU's guaranteed number of workgroups in one dimension. */
const MAX_GROUPS = 65_535

/** Linear index of the workgroup, for kernels started with one number of groups. */
const GROUP_INDEX = `
  fn groupIndex() -> i32 { return i32(workgroupId.y * numWorkgroups.x + workgroupId.x); }
`

/** Runs a kernel that writes every element of a new float32 tensor of the given shape. */
export function run(kernel: Kernel, shape: number[]): Tensor {
  const backend = currentBackend() as WebGPUBackend
  const output = backend.makeTensorInfo(shape, 'float32')
  dispatch(backend, kernel, output)
  return engine().makeTensorFromTensorInfo(output)
}

/** Runs a kernel on an existing tensor, which it may read and write as `result`. */
export function runInPlace(kernel: Kernel, target: Tensor): void {
  const backend = currentBackend() as WebGPUBackend
  dispatch(backend, kernel, target)
  // A copy that tfjs keeps from an earlier read is out of date now.
  const data = backend.tensorMap.get(target.dataId) as { values: unknown }
  data.values = null
}

/** A float32 tensor whose elements are whatever the buffer held before: for kernels that write before they read. */
export function scratch(shape: number[]): Tensor {
  return engine().makeTensorFromTensorInfo(
    (currentBackend() as WebGPUBackend).makeTensorInfo(shape, 'float32'),
  )
}

function dispatch(backend: WebGPUBackend, kernel: Kernel, output: TensorInfo): void {
  const uniforms = Object.entries(kernel.uniforms)
  const program: Program = {
    variableNames: Object.keys(kernel.inputs),
    outputShape: [sizeOf(output)],
    workgroupSize: kernel.workgroup,
    // Never tfjs's flat layout: it would call main(index).
    dispatchLayout: { x: [0], y: [1], z: [2] },
    dispatch: typeof kernel.groups === 'number' ? folded(kernel.groups) : kernel.groups,
    shaderKey: `graft_${kernel.name}_${kernel.variant ?? ''}`,
    uniforms: uniforms.map(([name, { type }]) => `${name} : ${type}, `).join(''),
    getUserCode: () => GROUP_INDEX + kernel.code,
  }
  backend.runWebGPUProgram(
    program,
    Object.values(kernel.inputs).map(flat),
    'float32',
    uniforms.map(([, { type, value }]) => ({ type: UNIFORM_TYPES[type], data: [value] })),
    flat(output),
  )
}

function sizeOf({ shape }: TensorInfo): number {
  return shape.reduce((product, extent) => product * extent, 1)
}

function flat(info: TensorInfo): TensorInfo {
  return { dataId: info.dataId, shape: [sizeOf(info)], dtype: info.dtype }
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
