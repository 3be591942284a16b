// The scripting API, window.graft: the contract of docs/api.md. The page's own views use nothing else.
import type {
  Appended,
  Dataset,
  RenderedRow,
  Row,
  RowQuery,
  SplitRequest,
  SplitName,
  TaskConfig,
} from './data.ts'
import type { Copied, ImportOptions, Preview, PreviewOptions } from './bringIn.ts'
import type { BackendName, DataEvent, EngineEvent, EngineInfo } from './engine.ts'
import type { ExplainApi } from './explain.ts'
import type { HealthOptions, HealthReport } from './health.ts'
import type {
  AdapterInfo,
  AdapterSource,
  EstimateRequest,
  HubModel,
  LoadOptions,
  MemoryEstimate,
  ModelInfo,
  ModelSource,
  PrecisionReport,
  Tokens,
} from './model.ts'
import type { CallOptions } from './progress.ts'
import type { Recipe, RecipeState, RecipeStep } from './recipe.ts'
import type { TakeOutRequest } from './takeOut.ts'
import type { Run, RunEvent, RunPlan, RunRequest } from './run.ts'
import type {
  AdapterReader,
  Evaluation,
  GenerateRequest,
  GenerateResult,
  LogitsResult,
  Prediction,
  Target,
} from './target.ts'
import type { AddedRows, WriteRowsRequest } from './written.ts'
import type {
  CellChange,
  Profile,
  ProfileOptions,
  RowPlace,
  SearchQuery,
  SearchResult,
  ViewQuery,
} from './table.ts'

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
    /** What a clipboard holds as a file for `preview`, `import` and `append`. */
    pasted(copied: Copied): Promise<File>
    /** The beginning of files as an import with these options would read them. */
    preview(files: File | File[], options?: PreviewOptions & CallOptions): Promise<Preview>
    import(files: File | File[], options?: ImportOptions & CallOptions): Promise<Dataset>
    /** Adds the rows of files at the end; the rows that are there keep their indices and their part of the split. */
    append(id: string, files: File | File[], options?: ImportOptions & CallOptions): Promise<Appended>
    list(): Promise<Dataset[]>
    get(id: string): Promise<Dataset>
    rows(id: string, query?: RowQuery): Promise<Row[]>
    /** Rows by index, in the order asked: those that a finding lists. At most 1,000 a call. */
    rowsAt(id: string, indices: number[]): Promise<Row[]>
    /** What is wrong with a dataset, what to fix first, and the steps of a recipe that would mend it. */
    health(id: string, options?: HealthOptions, call?: CallOptions): Promise<HealthReport>
    remove(id: string): Promise<void>
    configure(id: string, config: TaskConfig): Promise<Dataset>
    /** Divides the rows; what is left out is as by default. */
    split(id: string, request?: SplitRequest, options?: CallOptions): Promise<Dataset>
    /** The steps between the raw rows and the dataset's rows, and what each does. */
    recipe(id: string): Promise<RecipeState>
    /** Makes these the steps of the recipe, or takes over a whole one; the raw rows stay as they are. */
    apply(id: string, recipe: RecipeStep[] | Recipe, options?: CallOptions): Promise<Dataset>
    /** Takes the latest change of the recipe back. */
    undo(id: string, options?: CallOptions): Promise<Dataset>
    /**
     * Lets a model write rows for the training part, and adds those that pass the checks as one step of the recipe; with
     * `apply: false` they are only shown.
     */
    generate(
      id: string,
      request: WriteRowsRequest & { apply?: boolean },
      options?: CallOptions,
    ): Promise<AddedRows>
    /** The current rows as a file; with `bundle` a zip with the recipe and a datasheet. */
    export(id: string, request: TakeOutRequest & CallOptions): Promise<Blob>
    /**
     * Rows as a model would read them in training; `config` shows a choice before it is confirmed, `tokens` adds them one by one.
     */
    render(
      id: string,
      query: {
        model: string
        offset: number
        limit: number
        maxLength?: number
        config?: TaskConfig
        tokens?: boolean
      },
      options?: CallOptions,
    ): Promise<RenderedRow[]>
    /** A page of a view: filtered, searched, sampled and sorted rows, with their number and where the words are. */
    search(id: string, query?: SearchQuery, options?: CallOptions): Promise<SearchResult>
    /** Where a row stands in a view. */
    place(id: string, index: number, query?: ViewQuery, options?: CallOptions): Promise<RowPlace>
    /** Changes cells by hand, or gives them back as they were imported (`value: null`). */
    edit(id: string, changes: CellChange[]): Promise<Dataset>
    /** What is in each column. */
    profile(id: string, options?: ProfileOptions & CallOptions): Promise<Profile>
    subscribe(listener: (event: DataEvent) => void): () => void
  }
  models: {
    list(): Promise<ModelInfo[]>
    load(source: ModelSource, options?: LoadOptions & CallOptions): Promise<ModelInfo>
    remove(id: string): Promise<void>
    /** Models of the Hub; without a query the curated list, which needs no network. */
    search(query?: string, options?: { token?: string } & CallOptions): Promise<HubModel[]>
    estimate(request: EstimateRequest, options?: { token?: string } & CallOptions): Promise<MemoryEstimate>
    /** What the precision of a loaded base costs, measured against its float32 weights. */
    precisionReport(id: string, options?: { texts?: string[] } & CallOptions): Promise<PrecisionReport>
  }
  adapters: {
    import(
      model: string,
      source: AdapterSource,
      options?: { name?: string; labels?: string[] } & CallOptions,
    ): Promise<AdapterInfo>
    list(model?: string): Promise<AdapterInfo[]>
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
  explain: ExplainApi
  export: {
    /** A zip in PEFT's layout, loaded again and compared before it is handed out. */
    adapter(target: string | Target, options?: { reader?: AdapterReader } & CallOptions): Promise<Blob>
    /** A zip with the whole model, the adapter merged in; checked in the same way. */
    merged(target: string | Target, options?: { dtype?: 'f32' | 'f16' | 'bf16' } & CallOptions): Promise<Blob>
  }
}
