// npm run check:kernels: the kernels in every setting that this machine's own adapter offers, in Node by Dawn. Apart from
// the other tests, because a machine without any Vulkan driver cannot run it.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    name: 'kernels',
    environment: 'node',
    include: ['tests/kernels/**/*.test.ts'],
    setupFiles: ['tests/kernels/dawn.ts'],
    // One device after the other, and in this process: Dawn's objects do not travel.
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    server: { deps: { inline: [/tfjs-core\/dist\/(?!tf-core)/] } },
  },
})
