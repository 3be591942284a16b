// The engine worker: wires the calls of the page to the engine. It owns the one device, the bases and the runs.
import { EXPLAINERS } from './engine/explain/index.ts'
import { EngineService } from './engine/service.ts'
import { serve, type Handlers } from './serve.ts'
import type { EngineCalls, EngineEvent } from '../src/protocol/engine.ts'
import { EXPLAIN_METHODS, type ExplainCalls } from '../src/protocol/explain.ts'
import type { CallContext } from '../src/protocol/progress.ts'

const service = new EngineService((event) => server.emit(event))

/** Every call waits until the backend and the store are there. */
function ready<Args, Result>(
  work: (service: EngineService, args: Args, context: Parameters<Handlers<EngineCalls>['info']>[1]) => Result,
) {
  return async (
    args: Args,
    context: Parameters<Handlers<EngineCalls>['info']>[1],
  ): Promise<Awaited<Result>> => {
    await service.ready()
    return await work(service, args, context)
  }
}

/** A call for each explanation. */
function explainCalls(): Handlers<ExplainCalls> {
  const calls = EXPLAIN_METHODS.map((method) => [
    `explain.${method}`,
    ready(
      (
        engine,
        { target, request }: Parameters<ExplainCalls[`explain.${typeof method}`]>[0],
        context: CallContext,
      ) => EXPLAINERS[method](engine.desk, target, request as never, context),
    ),
  ])
  return Object.fromEntries(calls) as unknown as Handlers<ExplainCalls>
}

const server = serve<EngineCalls, EngineEvent>({
  info: ready((engine) => engine.info()),
  use: ready((engine, { backend }) => engine.use(backend)),
  listModels: ready((engine) => engine.models.list()),
  loadModel: ready((engine, { source, ...options }, context) => engine.loadModel(source, options, context)),
  searchModels: ready((engine, { query, token }, context) => engine.searchModels(query, token, context)),
  estimateModel: ready((engine, { request, token }, context) =>
    engine.estimateModel(request, token, context),
  ),
  precisionReport: ready((engine, { id, texts }, context) => engine.precisionReport(id, texts, context)),
  importAdapter: ready((engine, { model, source, ...options }, context) =>
    engine.adapters.import(model, source, options, context),
  ),
  listAdapters: ready((engine, { model }) => engine.adapters.list(model)),
  removeAdapter: ready((engine, { id }) => engine.removeAdapter(id)),
  removeModel: ready((engine, { id }) => engine.removeModel(id)),
  tokenize: ready((engine, { model, text }) => engine.tokenize(model, text)),
  renderRows: ready((engine, request, { signal }) => engine.renderRows(request, signal)),
  planRun: ready((engine, request, { signal }) => engine.planner.plan(request, signal)),
  startRun: ready((engine, request) => engine.runs.start(request)),
  waitRun: ready((engine, { id }) => engine.runs.wait(id)),
  pauseRun: ready((engine, { id }) => engine.runs.pause(id)),
  resumeRun: ready((engine, { id }) => engine.runs.resume(id)),
  stopRun: ready((engine, { id }) => engine.runs.stop(id)),
  listRuns: ready((engine) => engine.runs.list()),
  getRun: ready((engine, { id }) => engine.runs.get(id)),
  removeRun: ready((engine, { id }) => engine.removeRun(id)),
  logits: ready((engine, { target, text, ids }) => engine.ask.logits(target, text, ids)),
  predict: ready((engine, { target, texts, labels }, context) =>
    engine.ask.predict(target, texts, labels, context),
  ),
  generate: ready((engine, { target, request }, context) => engine.ask.generate(target, request, context)),
  writeRows: ready((engine, { dataset, request }, context) =>
    engine.ask.writeRows(dataset, request, context),
  ),
  evaluate: ready((engine, { target, dataset, split }, context) =>
    engine.ask.evaluate(target, dataset, split, context),
  ),
  ...explainCalls(),
  exportAdapter: ready((engine, { target, reader }, context) =>
    engine.exporter.adapter(target, context, reader),
  ),
  exportMerged: ready((engine, { target, dtype }, context) => engine.exporter.merged(target, dtype, context)),
})
