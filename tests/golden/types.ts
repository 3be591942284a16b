// The shape of the golden files; README.md says what the numbers mean.
import type { Precision } from '../../src/protocol/model.ts'

export type GoldenName = 'tiny-llama' | 'tiny-llama-odd'

/** Every model of every family. */
export type FamilyName =
  | GoldenName
  | 'tiny-llama3'
  | 'tiny-llama-linear'
  | 'tiny-qwen2'
  | 'tiny-qwen3'
  | 'tiny-gemma3'
  | 'tiny-gpt2'
  | 'tiny-bert'
  | 'tiny-distilbert'
  | 'tiny-roberta'

/** Row-major float32, little-endian, base64. */
export interface GoldenArray {
  shape: number[]
  data: string
}

/** Trainable tensors by the name that PEFT gives them on disk. */
export type GoldenTensors = Record<string, GoldenArray>

/** What one model has goldens of; a section that its family does not know is absent. */
export interface FamilyGolden {
  name: string
  versions: Record<string, string>
  /** config.json as parsed. */
  config: Record<string, unknown>
  /** Id that padding has in the goldens; absent: `config.pad_token_id`. */
  padId?: number
  tokenizer: { texts: { text: string; ids: number[]; special?: number[] }[] }
  base: BaseGolden
  /** Decoders only. */
  causal?: CausalGolden
  classify: ClassifyGolden
}

/** The model without an adapter. An encoder's logits are those of its masked-language-model head. */
export interface BaseGolden {
  /** logits [T, V] */
  sequences: { ids: number[]; logits: GoldenArray }[]
  /** Right-padded; logits [B, T, V], 0 at padding. */
  batch: { ids: number[][]; lengths: number[]; logits: GoldenArray }
  /** weights [L, H, T, T] */
  attention: { ids: number[]; weights: GoldenArray }
  saliency: TokenSaliency
  /** Decoders only. */
  greedy?: { prompt: number[]; tokens: number[]; smallestLead: number }
}

/** A language model with an adapter. */
export interface CausalGolden {
  adapter: GoldenAdapter
  /** logits [T, V] with the adapter */
  sequence: { ids: number[]; logits: GoldenArray }
  saliency: TokenSaliency
  batch: CausalMicro & GoldenStep & { labelCount: number }
  trajectory: Trajectory<CausalMicro>
}

/** A classifier of three classes with an adapter. */
export interface ClassifyGolden {
  adapter: GoldenAdapter
  /** logits [B, 3] */
  batch: ClassifyMicro & GoldenStep & { logits: GoldenArray }
  saliency: Saliency & { label: number }
  trajectory: Trajectory<ClassifyMicro>
}

/** The Llama models that came first: no section is absent. */
export interface Golden {
  name: string
  /** Of torch, transformers, peft and tokenizers. */
  versions: Record<string, string>
  config: {
    hidden_size: number
    intermediate_size: number
    num_hidden_layers: number
    num_attention_heads: number
    num_key_value_heads: number
    head_dim: number
    vocab_size: number
    max_position_embeddings: number
    rms_norm_eps: number
    rope_theta: number
    tie_word_embeddings: boolean
    pad_token_id: number
  }
  tokenizer: {
    texts: { text: string; ids: number[] }[]
    chat: { messages: { role: string; content: string }[]; text: string; ids: number[] }
  }
  base: Required<BaseGolden>
  causal: CausalGolden & { trajectory: WithStep2 }
  classify: ClassifyGolden & { trajectory: WithStep2 }
}

interface WithStep2 {
  afterStep2: GoldenTensors
}

export interface GoldenAdapter {
  r: number
  alpha: number
  /** Paths, as the base names them, of the layers that peft has really adapted. */
  modules?: string[]
  tensors: GoldenTensors
}

export interface Saliency {
  ids: number[]
  logit: number
  /** The rows that the embedding gave, [T, d]. */
  embeddings: GoldenArray
  /** d logit / d embeddings, [T, d]. */
  gradient: GoldenArray
}

/** The logit of `token` at `position`. */
export type TokenSaliency = Saliency & { position: number; token: number }

/** Sequences of one micro-batch, unpadded, with unshifted labels of the same lengths. */
export interface CausalMicro {
  ids: number[][]
  labels: number[][]
  /** Of each sequence in the loss; absent: 1. */
  weights?: number[]
}

/** Sequences of one micro-batch, unpadded, with one class each. */
export interface ClassifyMicro {
  ids: number[][]
  labels: number[]
  weights?: number[]
}

export interface GoldenStep {
  /** Mean cross-entropy per label. */
  loss: number
  gradients: GoldenTensors
  /** Of all gradients together, before clipping. */
  gradNorm: number
}

export interface Trajectory<Micro> {
  micros: Micro[]
  hyper: {
    steps: number
    warmup: number
    learningRate: number
    beta1: number
    beta2: number
    epsilon: number
    clip: number
    weightDecay: number
  }
  /** For each step, which of `micros` it accumulates. */
  order: number[][]
  /** By step: before its update; before clipping; the rate of its update; labels, or their weights, it is normalised by. */
  loss: number[]
  gradNorm: number[]
  learningRate: number[]
  labels: number[]
  /** Trained tensors without weight decay; absent: all are decayed. */
  noDecay?: string[]
  /** After the first update that changes anything. */
  afterStep2?: GoldenTensors
  /** After the last step: all trained tensors, or some of them. */
  final: GoldenTensors
  sensitivity: number
}

/** One more way to adapt or load a model: whatever the method has no use for is absent. */
export type Variant = VariantOf<'causal', CausalMicro> | VariantOf<'classify', ClassifyMicro>

interface VariantOf<Task, Micro> {
  /** `<model>-<kind>` */
  name: string
  model: FamilyName
  task: Task
  /** In words. */
  what: string
  method: 'lora' | 'full' | 'layers' | 'head'
  /** Of the linear layers, and of the token table and the head; absent: f32. */
  precision?: 'f16' | 'int8' | 'nf4'
  tables?: 'f32' | 'f16' | 'int8'
  /** The values that training starts from. */
  adapter?: GoldenAdapter & { config?: PeftSettings }
  /** Folder in `adapters/` with PEFT's files: of the starting adapter, or, for PiSSA, of the trained one, converted. */
  folder?: string | null
  /** Logits [T, V] with the starting adapter. */
  sequence?: { ids: number[]; logits: GoldenArray }
  /** Of a rounded base alone. */
  sequences?: { ids: number[]; logits: GoldenArray }[]
  /** Largest |difference| to the logits in float32 / largest |logit|. */
  errorToF32?: number
  batch?: Micro & GoldenStep & { labelCount?: number; logits?: GoldenArray }
  labelSmoothing?: number
  trajectory?: Trajectory<Micro>
  /** LoRA+ only: learning rate of B / that of A, and the rate of every trained tensor / that of A. */
  loraPlusRatio?: number
  rates?: Record<string, number>
  /** Methods without an adapter: names of the trained tensors as modules name them, and values that no checkpoint has. */
  trained?: string[]
  initial?: GoldenTensors
  /** PiSSA only: s B A [out, in] of some layers at the start; logits of `sequence` after the trajectory. */
  products?: GoldenTensors
  after?: { ids: number[]; logits: GoldenArray }
}

/** What adapter_config.json says, under PEFT's names. */
export interface PeftSettings {
  /** As it was asked for, not as it was resolved. */
  target_modules: string | string[]
  rank_pattern: Record<string, number>
  alpha_pattern: Record<string, number>
  layers_to_transform: number[] | null
  modules_to_save: string[] | null
  bias: 'none' | 'all' | 'lora_only'
  use_dora: boolean
  use_rslora: boolean
  init_lora_weights: boolean | string
  fan_in_fan_out: boolean
}

export interface VectorGolden {
  rmsNorm: { eps: number; x: number[][]; w: number[]; y: number[][]; dy: number[][]; dx: number[][] }
  /** x and y [N, H, hd] */
  rope: { theta: number; positions: number[]; x: number[][][]; y: number[][][] }[]
  llama3: {
    theta: number
    headSize: number
    scaling: {
      rope_type: string
      factor: number
      low_freq_factor: number
      high_freq_factor: number
      original_max_position_embeddings: number
    }
    /** [headSize / 2] */
    inverse: number[]
  }
  swiglu: {
    gate: number[][]
    up: number[][]
    h: number[][]
    dh: number[][]
    dGate: number[][]
    dUp: number[][]
  }
  crossEntropy: {
    logits: number[][]
    labels: number[]
    loss: number
    dLogits: number[][]
    smoothed: { smoothing: number; loss: number; dLogits: number[][] }
  }
  adamw: {
    hyper: { beta1: number; beta2: number; epsilon: number; weightDecay: number; clip: number }
    start: number[]
    steps: {
      learningRate: number
      gradient: number[]
      norm: number
      value: number[]
      first: number[]
      second: number[]
    }[]
  }
  /** x, y, dy, dx [3, 5]; w, b, dw, db [5] */
  layerNorm: {
    eps: number
    x: number[][]
    w: number[]
    b: number[]
    y: number[][]
    dy: number[][]
    dx: number[][]
    dw: number[]
    db: number[]
  }
  rmsNormWeight: { eps: number; x: number[][]; dy: number[][]; dw: number[] }
  activations: Record<
    'silu' | 'gelu' | 'geluTanh' | 'relu' | 'tanh',
    { x: number[]; y: number[]; dy: number[]; dx: number[] }
  >
  /** geluTanh(gate) * up */
  geglu: VectorGolden['swiglu']
  /** inverse [headSize / 2] */
  ropeScaled: {
    theta: number
    headSize: number
    scaling: { rope_type: string; factor: number } & Partial<VectorGolden['llama3']['scaling']>
    inverse: number[]
  }[]
  /** x [4, 5], w [3, 5], a [2, 5], b [3, 2]; m, norm, bias [3]; y, dy [4, 3] */
  dora: {
    scale: number
    x: number[][]
    w: number[][]
    a: number[][]
    b: number[][]
    m: number[]
    /** Of each row of w + scale b a; constant in the backward pass. */
    norm: number[]
    bias?: number[]
    y: number[][]
    dy: number[][]
    dx: number[][]
    dA: number[][]
    dB: number[][]
    dM: number[]
  }[]
}

/** The same hundred steps on one base in every precision. */
export interface LongGolden {
  model: FamilyName
  adapter: GoldenAdapter
  runs: { precision: Precision; tables: Precision; trajectory: Trajectory<CausalMicro> }[]
}

/** One text's attention; logits of two outputs at one token, and ln sum exp, [3] each, with heads off. */
export interface AttentionMapsGolden {
  ids: number[]
  position: number
  outputs: number[]
  /** [L, H, T, T] */
  weights: GoldenArray
  /** [T, T] */
  rollout: GoldenArray
  rolloutFrom1: GoldenArray
  /** [L, H], nats */
  entropy: GoldenArray
  whole: number[]
  /** A head at a time, layer by layer. */
  each: Record<'zero' | 'mean', number[][]>
  together: { heads: [number, number][]; zero: number[]; mean: number[] }
}
