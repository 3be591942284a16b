// WebGPU in Node, by Dawn, for tests on this machine's own adapter: a real GPU where there is one, or the Vulkan driver
// that VK_ICD_FILENAMES names.
import { create, globals } from 'webgpu'

Object.assign(globalThis, globals)
Object.defineProperty(globalThis, 'navigator', {
  value: { gpu: create(['backend=vulkan']), userAgent: `node ${process.version}`, hardwareConcurrency: 1 },
  configurable: true,
})
