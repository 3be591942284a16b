// Our own GPUDevice. tfjs would ask for few features and leave most limits at their defaults; the kernels here want
// what the adapter has. Every refusal is an E_NO_ADAPTER that says what to do about it.
import { GraftError } from '../../protocol/errors.ts'

/** Used where the adapter has them, never required. */
const FEATURES = ['shader-f16', 'subgroups', 'timestamp-query']

/** Raised to the adapter's maximum. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const satisfies (keyof GPUSupportedLimits)[]

export interface OwnDevice {
  device: GPUDevice
  info: GPUAdapterInfo
  /** The GPU in words: "Apple M2 (metal-3)". */
  description: string
  features: string[]
  /** Bytes, elements or counts, by WebGPU's names. */
  limits: Record<string, number>
}

/** @throws E_NO_ADAPTER where the browser has no WebGPU, no adapter, or the adapter gives no device. */
export async function requestOwnDevice(): Promise<OwnDevice> {
  // Absent in insecure contexts, in browsers without WebGPU and in Node, whatever the types say.
  const { gpu } = (globalThis.navigator ?? {}) as { gpu?: GPU }
  if (!gpu) {
    throw new GraftError(
      'E_NO_ADAPTER',
      'this browser offers no WebGPU here: use a current Chrome, Edge, Safari or Firefox, over https or localhost.',
    )
  }
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) {
    throw new GraftError(
      'E_NO_ADAPTER',
      'the browser has WebGPU but no usable GPU: update the graphics driver, or switch on hardware acceleration.',
    )
  }
  const requiredFeatures = FEATURES.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[]
  const requiredLimits = Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]))
  try {
    const device = await adapter.requestDevice({ requiredFeatures, requiredLimits, label: 'graft' })
    return {
      device,
      info: adapter.info,
      description: describe(adapter.info),
      features: [...device.features].sort(),
      limits: Object.fromEntries(LIMITS.map((name) => [name, device.limits[name]])),
    }
  } catch (cause) {
    throw new GraftError(
      'E_NO_ADAPTER',
      `the GPU (${describe(adapter.info)}) gave no device: ${messageOf(cause)}. Close other GPU programs and reload the page.`,
      {},
      { cause },
    )
  }
}

function describe({ description, vendor, architecture, device }: GPUAdapterInfo): string {
  const name = description || [vendor, device].filter(Boolean).join(' ') || 'unnamed GPU'
  return architecture ? `${name} (${architecture})` : name
}

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
