// The bench in Node: WebGPU by Dawn, jobs over the channel to the parent (run.mjs). A process of its own, so that each
// measurement may begin with an empty device and a failed one ends nothing but itself.
import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'
import { create, globals } from 'webgpu'

const GRADIENTS = '@tensorflow/tfjs-core/dist/register_all_gradients'

// tfjs asks for WebGPU where a browser has it, and uses its classes as globals.
Object.assign(globalThis, globals)
const gpu = create(['backend=vulkan'])
Object.defineProperty(globalThis, 'navigator', {
  value: { gpu, userAgent: `node ${process.version}`, hardwareConcurrency: 1 },
  configurable: true,
})

const server = await createServer({
  root: fileURLToPath(new URL('..', import.meta.url)),
  configFile: false,
  appType: 'custom',
  logLevel: 'error',
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
  // The gradients of tfjs come as ES modules without saying so: by its path Vite reads a file, by its name Node would.
  resolve: { alias: { [GRADIENTS]: fileURLToPath(import.meta.resolve(`${GRADIENTS}.js`)) } },
})
const { runJob } = await server.ssrLoadModule(process.argv[2])

process.on('message', async (job) => {
  try {
    process.send({ result: await runJob(job) })
  } catch (error) {
    process.send({ error: error instanceof Error ? error.message : String(error) })
  }
})
process.on('disconnect', () => process.exit())
process.send({ ready: true })
