// A thread that helps with our own kernels (core/ops/reference/wasmKernels.ts says how it is asked). It is told once what the
// kernels and their memory are, and from then on waits on its word of that memory; it ends when it is terminated.
// A plain script, served as it is, without bundling: like wasmThread.js it is started from a worker of the same site.
'use strict'
self.onmessage = ({ data: { module, memory, names, word, kernel, failed, argumentsAt, thread, looks } }) => {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } })
  const kernels = names.map((name) => exports[name])
  // The memory may grow: what lies here stays in reach.
  const words = new Int32Array(memory.buffer)
  const [own, which, failure] = [word, kernel, failed].map((address) => address >> 2)
  postMessage({ ready: true })
  for (;;) {
    // The next kernel mostly comes at once: it is looked for a while before the thread sleeps.
    for (let look = 0; look < looks && Atomics.load(words, own) !== 1; look++);
    if (Atomics.compareExchange(words, own, 1, 2) !== 1) {
      Atomics.wait(words, own, 0)
      continue
    }
    try {
      kernels[words[which]](argumentsAt, thread)
    } catch {
      Atomics.store(words, failure, 1)
    }
    Atomics.store(words, own, 0)
    Atomics.notify(words, own)
  }
}
