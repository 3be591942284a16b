// One thread of the WASM backend: a classic worker that runs Emscripten's thread protocol for tfjs's threaded binary.
// tfjs makes this worker from a blob: URL and loads its runtime with importScripts of another one. Our content
// security policy allows neither, so this file takes that place and is served as it is, without bundling.
// It must stay a plain script: Emscripten starts it with `new Worker(url)`.
'use strict'
;(() => {
  const sameOrigin = (url) => {
    if (new URL(url, self.location.href).origin !== self.location.origin) {
      throw new TypeError(`A thread loads scripts of its own site only, not ${url}.`)
    }
    return url
  }
  const policy = self.trustedTypes?.createPolicy('app-worker', { createScriptURL: sameOrigin })
  const loadScript = (url) => importScripts(policy ? policy.createScriptURL(url) : sameOrigin(url))

  /** Emscripten's module object: first what the runtime is given, then what it made of it. */
  let module = {}
  let isRunning = false
  const earlyQueues = []

  // The runtime calls this once its instance is ready.
  self.startWorker = (instance) => {
    module = instance
    postMessage({ cmd: 'loaded' })
  }
  self.onunhandledrejection = (event) => {
    throw event.reason ?? event
  }

  const commands = {
    /** Our own addition: whether the runtime script may be loaded here, asked before Emscripten is started. */
    check({ script }) {
      loadScript(script)
      postMessage({ cmd: 'checked', ok: typeof self.WasmBackendModuleThreadedSimd === 'function' })
    },

    load({ wasmModule, wasmMemory, handlers, urlOrBlob }) {
      module.wasmMemory = wasmMemory
      module.buffer = wasmMemory.buffer
      module.ENVIRONMENT_IS_PTHREAD = true
      module.instantiateWasm = (imports, receive) => {
        const instance = new WebAssembly.Instance(wasmModule, imports)
        receive(instance)
        return instance.exports
      }
      for (const handler of handlers) {
        module[handler] = (...args) => postMessage({ cmd: 'callHandler', handler, args })
      }
      loadScript(urlOrBlob)
      self.WasmBackendModuleThreadedSimd(module)
    },

    run({ pthread_ptr, start_routine, arg, ...rest }) {
      module.__emscripten_thread_init(pthread_ptr, 0, 0, 1)
      module.establishStackSpace()
      module.PThread.receiveObjectTransfer(rest)
      module.PThread.threadInitTLS()
      if (!isRunning) {
        for (const queue of earlyQueues.splice(0)) module.executeNotifiedProxyingQueue(queue)
        isRunning = true
      }
      try {
        module.invokeEntryPoint(start_routine, arg)
      } catch (thrown) {
        if (thrown === 'unwind') return // Emscripten's way out of a call stack
        if (!(thrown instanceof module.ExitStatus)) throw thrown
        if (!module.keepRuntimeAlive()) module.__emscripten_thread_exit(thrown.status)
      }
    },

    cancel() {
      if (module._pthread_self()) module.__emscripten_thread_exit(-1)
    },

    processProxyingQueue({ queue }) {
      if (isRunning) module.executeNotifiedProxyingQueue(queue)
      else earlyQueues.push(queue)
    },
  }

  self.onmessage = ({ data }) => {
    try {
      commands[data.cmd]?.(data)
    } catch (thrown) {
      module.__emscripten_thread_crashed?.()
      throw thrown
    }
  }
})()
