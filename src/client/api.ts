// The scripting API: the same object under window.graft and under every view. Documented in docs/api.md.
import { version } from '../../package.json'
import type { GraftApi } from '../protocol/api.ts'
import type { DataCalls, DataEvent, EngineCalls, EngineEvent } from '../protocol/engine.ts'
import { GraftError } from '../protocol/errors.ts'
import { EXPLAIN_METHODS, type ExplainApi, type ExplainMethod } from '../protocol/explain.ts'
import type { CallOptions } from '../protocol/progress.ts'
import type { Target } from '../protocol/target.ts'
import { WorkerHandle } from './workerHandle.ts'

/** Whether there are names to look for; what else a script may give is refused by the worker. */
const isRecord = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The call options of an object that holds other options too, and the rest. */
function separate<T extends object>(
  options: T & CallOptions,
): { call: CallOptions; rest: Omit<T, keyof CallOptions> } {
  if (!isRecord(options)) return { call: {}, rest: options }
  const { signal, onProgress, ...rest } = options
  return {
    call: { ...(signal !== undefined && { signal }), ...(onProgress !== undefined && { onProgress }) },
    rest,
  }
}

/** The same of a call that takes its options apart from what it asks; here or there, they are heard. */
function apart<T extends object>(asked: T, options: CallOptions = {}): { call: CallOptions; rest: T } {
  const { call, rest } = separate<T>(asked)
  return { call: { ...call, ...options }, rest: rest as T }
}

/** A method for each explanation, all of one form. */
function explainApi(engine: WorkerHandle<EngineCalls, EngineEvent>): ExplainApi {
  const method =
    (name: ExplainMethod) =>
    async (target: Target, request: object = {}, options?: CallOptions) => {
      const { call, rest } = apart(request, options)
      const answer = await engine.call(`explain.${name}`, { target, request: rest as never }, call)
      // Who has cancelled gets no answer, also where it was under way to the page. Nothing was changed by it.
      if (call.signal?.aborted) throw new GraftError('E_ABORTED', 'Cancelled.')
      return answer
    }
  return Object.fromEntries(EXPLAIN_METHODS.map((name) => [name, method(name)])) as unknown as ExplainApi
}

/** A run by its id, or any other target. */
const targetOf = (target: string | Target): Target => (typeof target === 'string' ? { run: target } : target)

/** Calls with files, given as one or as a list. Rejects with E_ARGUMENT for anything else. */
function withFiles<T>(method: string, given: File | File[], call: (files: File[]) => Promise<T>): Promise<T> {
  const files: unknown[] = Array.isArray(given) ? given : [given]
  if (files.length === 0 || !files.every((file) => file instanceof File))
    return Promise.reject(
      new GraftError('E_ARGUMENT', `datasets.${method} takes a File, or a list of Files.`),
    )
  return call(files)
}

/** How to start the two workers; the page decides where their scripts are. */
export interface Spawn {
  engine(): Worker
  data(): Worker
}

export function createGraft(spawn: Spawn): GraftApi {
  const engine = new WorkerHandle<EngineCalls, EngineEvent>('The engine', spawn.engine)
  const data = new WorkerHandle<DataCalls, DataEvent>('The data worker', spawn.data)

  const ready = Promise.all([engine.call('info', {}), data.call('listDatasets', {})]).then(() => undefined)
  // Whoever awaits `ready` gets the error; nobody has to.
  ready.catch(() => undefined)

  return {
    version,
    ready,
    engine: {
      info: () => engine.call('info', {}),
      use: (backend) => engine.call('use', { backend }),
      subscribe: (listener) => engine.subscribe(listener),
    },
    datasets: {
      pasted: (copied) => data.call('pastedFile', copied),
      preview(files, options = {}) {
        const { call, rest } = separate(options)
        return withFiles('preview', files, (files) =>
          data.call('previewFiles', { files, options: rest }, call),
        )
      },
      import(files, options = {}) {
        const { call, rest } = separate(options)
        return withFiles('import', files, (files) => data.call('importFiles', { files, options: rest }, call))
      },
      append(id, files, options = {}) {
        const { call, rest } = separate(options)
        return withFiles('append', files, (files) =>
          data.call('appendFiles', { id, files, options: rest }, call),
        )
      },
      list: () => data.call('listDatasets', {}),
      get: (id) => data.call('getDataset', { id }),
      rows: (id, query = {}) => data.call('rows', { id, query }),
      rowsAt: (id, indices) => data.call('rowsAt', { id, indices }),
      health(id, asked = {}, options) {
        const { call, rest } = apart(asked, options)
        return data.call('health', { id, options: rest }, call)
      },
      remove: (id) => data.call('removeDataset', { id }),
      configure: (id, config) => data.call('configure', { id, config }),
      render: (id, query, options) => engine.call('renderRows', { dataset: id, ...query }, options),
      split(id, request = {}, options) {
        const { call, rest } = apart(request, options)
        return data.call('split', { id, config: rest }, call)
      },
      recipe: (id) => data.call('recipe', { id }),
      apply: (id, recipe, options) => data.call('applyRecipe', { id, recipe }, options),
      async generate(id, request, options) {
        if (!isRecord(request))
          throw new GraftError(
            'E_ARGUMENT',
            'datasets.generate takes the target that writes, such as { target: { model } }.',
          )
        const { call, rest: asked } = apart(request, options)
        const { apply = true, ...rest } = asked
        const written = await engine.call('writeRows', { dataset: id, request: rest }, call)
        if (!apply || !written.step) return { ...written, dataset: null }
        const dataset = await data.call('extendRecipe', { id, steps: [written.step] }, call)
        return { ...written, dataset }
      },
      undo: (id, options) => data.call('undoRecipe', { id }, options),
      export(id, options) {
        const { call, rest } = separate(options)
        return data.call('takeOut', { id, request: rest }, call)
      },
      search(id, query = {}, options) {
        const { call, rest } = apart(query, options)
        return data.call('searchRows', { id, query: rest }, call)
      },
      place(id, index, query = {}, options) {
        const { call, rest } = apart(query, options)
        return data.call('placeOf', { id, index, query: rest }, call)
      },
      edit: (id, changes) => data.call('editCells', { id, changes }),
      profile(id, options = {}) {
        const { call, rest } = separate(options)
        return data.call('profileDataset', { id, options: rest }, call)
      },
      subscribe: (listener) => data.subscribe(listener),
    },
    models: {
      list: () => engine.call('listModels', {}),
      load(source, options = {}) {
        const { call, rest } = separate(options)
        return engine.call('loadModel', { source, ...rest }, call)
      },
      remove: (id) => engine.call('removeModel', { id }),
      search(query = '', options = {}) {
        const { call, rest } = separate(options)
        return engine.call('searchModels', { query, ...rest }, call)
      },
      estimate(request, options = {}) {
        const { call, rest } = separate(options)
        return engine.call('estimateModel', { request, ...rest }, call)
      },
      precisionReport(id, options = {}) {
        const { call, rest } = separate(options)
        return engine.call('precisionReport', { id, ...rest }, call)
      },
    },
    adapters: {
      import(model, source, options = {}) {
        const { call, rest } = separate(options)
        return engine.call('importAdapter', { model, source, ...rest }, call)
      },
      list: (model) => engine.call('listAdapters', model === undefined ? {} : { model }),
      remove: (id) => engine.call('removeAdapter', { id }),
    },
    runs: {
      plan: (request, options) => engine.call('planRun', request, options),
      start: (request) => engine.call('startRun', request),
      wait: (id) => engine.call('waitRun', { id }),
      pause: (id) => engine.call('pauseRun', { id }),
      resume: (id) => engine.call('resumeRun', { id }),
      stop: (id) => engine.call('stopRun', { id }),
      list: () => engine.call('listRuns', {}),
      get: (id) => engine.call('getRun', { id }),
      remove: (id) => engine.call('removeRun', { id }),
      subscribe: (id, listener) =>
        engine.subscribe((event) => {
          if (event.type === 'run' && (id === '*' || event.event.run.id === id)) listener(event.event)
        }),
    },
    tokenize: (model, text) => engine.call('tokenize', { model, text }),
    logits: (target, input) => engine.call('logits', { target, ...input }),
    predict(target, text, options = {}) {
      const { call, rest } = separate(options)
      return engine.call(
        'predict',
        { target, texts: typeof text === 'string' ? [text] : text, ...rest },
        call,
      )
    },
    generate: (target, request, options) => engine.call('generate', { target, request }, options),
    evaluate: (target, { dataset, split = 'test' }, options) =>
      engine.call('evaluate', { target, dataset, split }, options),
    explain: explainApi(engine),
    export: {
      adapter(target, options = {}) {
        const { call, rest } = separate(options)
        return engine.call('exportAdapter', { target: targetOf(target), ...rest }, call)
      },
      merged(target, options = {}) {
        const { call, rest } = separate(options)
        return engine.call('exportMerged', { target: targetOf(target), ...rest }, call)
      },
    },
  }
}
