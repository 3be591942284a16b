// The tuner of a device: what it may use, and under which name its choices are kept.
import type { Abilities } from './settings.ts'
import { KERNEL_VERSION, setTuner, Tuner, type TuningMemory } from './tuner.ts'

/** Adapters that a processor plays: to measure there says nothing of any GPU, and takes long. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|warp/i

export interface AdapterFacts {
  info: GPUAdapterInfo
  features: readonly string[]
  limits: Pick<GPUSupportedLimits, 'maxComputeWorkgroupStorageSize'>
}

export function isSoftware(info: GPUAdapterInfo): boolean {
  return (
    info.isFallbackAdapter ||
    SOFTWARE.test([info.vendor, info.architecture, info.device, info.description].join(' '))
  )
}

/** The adapter, what it offers and the version of the kernels: another driver's description makes another name. */
export function adapterName({ info, features }: AdapterFacts): string {
  const { vendor, architecture, device, description } = info
  return JSON.stringify([KERNEL_VERSION, vendor, architecture, device, description, ...[...features].sort()])
}

export function abilitiesOf({ features, limits }: AdapterFacts): Abilities {
  return {
    half: features.includes('shader-f16'),
    subgroups: features.includes('subgroups'),
    shared: limits.maxComputeWorkgroupStorageSize,
  }
}

/** Gives the device its tuner, with what was found on the adapter before. */
export async function startTuning(
  device: GPUDevice,
  info: GPUAdapterInfo,
  memory: TuningMemory | null,
): Promise<void> {
  const facts = { info, features: [...device.features], limits: device.limits }
  const tuner = new Tuner({
    adapter: adapterName(facts),
    abilities: abilitiesOf(facts),
    active: !isSoftware(info),
    memory,
  })
  await tuner.load()
  setTuner(device, tuner)
}
