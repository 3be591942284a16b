// How much memory a device is taken to have for Graft. Browsers do not tell, so this is partly an assumption:
//   wasm    4 GiB: the maximum of the memory of tfjs 4.22's binaries (65,536 pages of 64 KiB), in all three of them
//   cpu     2 GiB: typed arrays in the JavaScript heap of a tab that goes on answering
//   webgpu  twice the largest buffer, which drivers set by the memory they have, but at most half of the machine's
//           memory as navigator.deviceMemory tells it (it says 8 GiB for everything above; 8 where it says nothing)
import type { BackendName } from '../../protocol/engine.ts'

const GIB = 2 ** 30
const BUFFERS = 2
const SHARE_OF_MACHINE = 0.5
const MACHINE_GIB = 8

/** Bytes. `used`: what is on the device already and will stay there. */
export function memoryBudget(backend: BackendName, limits: Record<string, number>, used = 0): number {
  return Math.max(0, totalOf(backend, limits) - used)
}

function totalOf(backend: BackendName, limits: Record<string, number>): number {
  switch (backend) {
    case 'wasm':
      return 4 * GIB
    case 'cpu':
      return 2 * GIB
    case 'webgpu': {
      const { deviceMemory = MACHINE_GIB } = (globalThis.navigator ?? {}) as { deviceMemory?: number }
      return Math.min(BUFFERS * (limits['maxBufferSize'] ?? GIB), SHARE_OF_MACHINE * deviceMemory * GIB)
    }
    default:
      return backend satisfies never
  }
}
