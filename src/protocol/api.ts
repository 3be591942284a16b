// The scripting API, window.graft: the contract of docs/api.md. The page's own views use nothing else.
import type { Dataset, ImportOptions, Row, RowQuery, SplitConfig, SplitName, TaskConfig } from './data.ts'
import type { BackendName, DataEvent, EngineEvent, EngineInfo } from './engine.ts'
import type { AttentionResult, ExplainInput, SaliencyRequest, SaliencyResult } from './explain.ts'
import type { ModelInfo, ModelSource, Precision, Tokens } from './model.ts'
import type { CallOptions } from './progress.ts'
import type { Run, RunEvent, RunPlan, RunRequest } from './run.ts'
import type {
  Evaluation,
  GenerateRequest,
  GenerateResult,
  LogitsResult,
  Prediction,
  Target,
} from './target.ts'

export interface GraftApi {
  version: string
  /** Resolves when both workers answer and the backend is chosen. */
  ready: Promise<void>
  engine: {
    info(): Promise<EngineInfo>
    use(backend: BackendName | 'auto'): Promise<EngineInfo>
    subscribe(listener: (event: EngineEvent) => void): () => void
  }
  datasets: {
    import(file: File, options?: ImportOptions & CallOptions): Promise<Dataset>
    list(): Promise<Dataset[]>
    get(id: string): Promise<Dataset>
    rows(id: string, query: RowQuery): Promise<Row[]>
    remove(id: string): Promise<void>
    configure(id: string, config: TaskConfig): Promise<Dataset>
    split(id: string, config: Partial<SplitConfig>): Promise<Dataset>
    subscribe(listener: (event: DataEvent) => void): () => void
  }
  models: {
    list(): Promise<ModelInfo[]>
    load(source: ModelSource, options?: { precision?: Precision } & CallOptions): Promise<ModelInfo>
    remove(id: string): Promise<void>
  }
  runs: {
    plan(request: RunRequest, options?: CallOptions): Promise<RunPlan>
    start(request: RunRequest): Promise<string>
    /** Resolves with the run when it is done, stopped or failed. */
    wait(id: string): Promise<Run>
    pause(id: string): Promise<void>
    resume(id: string): Promise<void>
    stop(id: string): Promise<void>
    list(): Promise<Run[]>
    get(id: string): Promise<Run>
    remove(id: string): Promise<void>
    subscribe(id: string | '*', listener: (event: RunEvent) => void): () => void
  }
  tokenize(modelId: string, text: string): Promise<Tokens>
  logits(target: Target, input: { text: string } | { ids: number[] }): Promise<LogitsResult>
  predict(
    target: Target,
    text: string | string[],
    options?: { labels?: string[] } & CallOptions,
  ): Promise<Prediction[]>
  generate(target: Target, request: GenerateRequest, options?: CallOptions): Promise<GenerateResult>
  evaluate(
    target: Target,
    data: { dataset: string; split?: SplitName },
    options?: CallOptions,
  ): Promise<Evaluation>
  explain: {
    attention(target: Target, input: ExplainInput, options?: CallOptions): Promise<AttentionResult>
    saliency(target: Target, request: SaliencyRequest, options?: CallOptions): Promise<SaliencyResult>
  }
  export: {
    adapter(target: string | Target, options?: CallOptions): Promise<Blob>
  }
}
