// What the two workers can do, by name: the contract between the page and the workers.
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
import type { WireError } from './errors.ts'
import type { ExplainCalls } from './explain.ts'
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
import type { Recipe, RecipeState, RecipeStep } from './recipe.ts'
import type { WriteRowsRequest, WrittenRows } from './written.ts'
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
import type {
  CellChange,
  Profile,
  ProfileOptions,
  RowPlace,
  SearchQuery,
  SearchResult,
  ViewQuery,
} from './table.ts'

export type BackendName = 'webgpu' | 'wasm' | 'cpu'

export interface EngineInfo {
  backend: BackendName
  /** Why this backend: chosen by `auto` or by the user, and what was refused before it. */
  reason: string
  /** The GPU's own description, or the CPU's features ("SIMD, 2 threads"). */
  adapter: string
  features: string[]
  limits: Record<string, number>
  memory: { gpuBytes: number; peakGpuBytes: number; tensors: number }
}

/** Calls of the engine worker: arguments and result of each. */
export interface EngineCalls extends ExplainCalls {
  info(args: Record<string, never>): EngineInfo
  use(args: { backend: BackendName | 'auto' }): EngineInfo
  listModels(args: Record<string, never>): ModelInfo[]
  loadModel(args: { source: ModelSource } & LoadOptions): ModelInfo
  removeModel(args: { id: string }): void
  searchModels(args: { query: string; token?: string }): HubModel[]
  estimateModel(args: { request: EstimateRequest; token?: string }): MemoryEstimate
  precisionReport(args: { id: string; texts?: string[] }): PrecisionReport
  importAdapter(args: { model: string; source: AdapterSource; name?: string; labels?: string[] }): AdapterInfo
  listAdapters(args: { model?: string }): AdapterInfo[]
  removeAdapter(args: { id: string }): void
  renderRows(args: {
    dataset: string
    model: string
    offset: number
    limit: number
    maxLength?: number
    config?: TaskConfig
    tokens?: boolean
  }): RenderedRow[]
  tokenize(args: { model: string; text: string }): Tokens
  planRun(args: RunRequest): RunPlan
  startRun(args: RunRequest): string
  waitRun(args: { id: string }): Run
  pauseRun(args: { id: string }): void
  resumeRun(args: { id: string }): void
  stopRun(args: { id: string }): void
  listRuns(args: Record<string, never>): Run[]
  getRun(args: { id: string }): Run
  removeRun(args: { id: string }): void
  logits(args: { target: Target; text?: string; ids?: number[] }): LogitsResult
  /** `labels`: for a base without a head, the label names whose likelihood as a continuation is compared. */
  predict(args: { target: Target; texts: string[]; labels?: string[] }): Prediction[]
  /** Progress carries the text so far while it streams. */
  generate(args: { target: Target; request: GenerateRequest }): GenerateResult
  /** Rows that a model writes for the training part; nothing is added yet. */
  writeRows(args: { dataset: string; request: WriteRowsRequest }): WrittenRows
  evaluate(args: { target: Target; dataset: string; split: SplitName }): Evaluation
  exportAdapter(args: { target: Target; reader?: AdapterReader }): Blob
  exportMerged(args: { target: Target; dtype?: 'f32' | 'f16' | 'bf16' }): Blob
}

/** What the engine worker says unasked. */
export type EngineEvent =
  | { type: 'run'; event: RunEvent }
  | { type: 'info'; info: EngineInfo }
  | { type: 'runRemoved'; id: string }
  /** The list of adapters has changed. */
  | { type: 'adapters' }
  /** Something went wrong outside of any call: the GPU was lost, or reported an error. */
  | { type: 'fault'; error: WireError }

/** Calls of the data worker. */
export interface DataCalls {
  previewFiles(args: { files: File[]; options: PreviewOptions }): Preview
  pastedFile(args: Copied): File
  importFile(args: { file: File; options: ImportOptions }): Dataset
  importFiles(args: { files: File[]; options: ImportOptions }): Dataset
  appendFiles(args: { id: string; files: File[]; options: ImportOptions }): Appended
  listDatasets(args: Record<string, never>): Dataset[]
  getDataset(args: { id: string }): Dataset
  rows(args: { id: string; query: RowQuery }): Row[]
  health(args: { id: string; options: HealthOptions }): HealthReport
  rowsAt(args: { id: string; indices: number[] }): Row[]
  removeDataset(args: { id: string }): void
  configure(args: { id: string; config: TaskConfig }): Dataset
  split(args: { id: string; config: SplitRequest }): Dataset
  recipe(args: { id: string }): RecipeState
  applyRecipe(args: { id: string; recipe: RecipeStep[] | Recipe }): Dataset
  /** Puts steps at the end of the recipe as it is when their turn comes. */
  extendRecipe(args: { id: string; steps: RecipeStep[] }): Dataset
  undoRecipe(args: { id: string }): Dataset
  takeOut(args: { id: string; request: TakeOutRequest }): Blob
  searchRows(args: { id: string; query: SearchQuery }): SearchResult
  placeOf(args: { id: string; index: number; query: ViewQuery }): RowPlace
  editCells(args: { id: string; changes: CellChange[] }): Dataset
  profileDataset(args: { id: string; options: ProfileOptions }): Profile
}

export type DataEvent = { type: 'dataset'; dataset: Dataset } | { type: 'datasetRemoved'; id: string }
