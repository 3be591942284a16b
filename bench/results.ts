// What a run of the bench found: written as JSON, and read by the tables and by docs/performance.md.
import type { Precision } from '../src/protocol/model.ts'
import type { Ceiling } from './ceiling.ts'
import type { DecodeFigures } from './decode.ts'
import type { FlatFigures } from './flat.ts'
import type { StepFigures } from './graft.ts'
import type { Adapter, StockFigures, TunedClass } from './jobs.ts'
import type { NanogptFigures } from './nanogpt.ts'
import type { ShapeName } from './shapes.ts'

/** What could not be measured, and the first line of why. */
export interface Failed {
  failed: string
}

export interface StepResult {
  shape: ShapeName
  precision: Precision
  figures: StepFigures
}

/** Graft and PyTorch on the same step, taking turns. */
export interface Beside {
  date: string
  /** Processors busy with other work, looked at between the rounds. */
  otherWork: number[]
  shape: ShapeName
  tokens: number
  graft: { seconds: number[]; adapter: string }
  /** Graft on one thread, for what the second is worth. */
  alone?: { seconds: number[]; adapter: string }
  torch: { seconds: number[]; device: string; version: string }
}

export interface BenchResults {
  date: string
  command: string
  /** Earlier runs that parts were taken from. */
  from: { command: string; date: string }[]
  machine: string
  /** Null where WebGPU was left out. */
  gpu: null | {
    date: string
    /** Node with Dawn, or Chromium. */
    place: string
    adapter: Adapter
    /** Dispatches were counted and not executed: speeds are not measured. */
    dry: boolean
    ceiling: Ceiling | null
    steps: (StepResult | ({ shape: ShapeName; precision: Precision } & Failed))[]
    /** What kernels were tried out, and which were chosen; empty where nothing was executed, absent in older files. */
    tuning?: ({ shape: ShapeName; precision: Precision } & TunedClass)[]
    decode: ({ shape: ShapeName; precision: Precision } & ({ figures: DecodeFigures } | Failed))[]
    stock: ({ shape: ShapeName } & ({ figures: StockFigures } | Failed))[]
    /** The peer and Graft at its size, all weights trained and LoRA. */
    nanogpt: ({ method: 'full' | 'lora' } & ({ peer: NanogptFigures; graft: StepFigures } | Failed))[]
    /** Losses of a tiny model in Graft's ops and in stock ops, executed. */
    agreement: { graft: number[]; stock: number[] } | Failed
    /** Memory over a thousand steps of mixed lengths. */
    flat: FlatFigures | Failed
    torch: Beside | Failed
  }
  wasm: Beside | Failed
}
