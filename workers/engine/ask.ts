// Questions to a base or a run: logits, labels, text, evaluations, explanations. Each resolves its target, takes its
// turns on the device, and frees what it used.
import { dispose } from '@tensorflow/tfjs-core'
import { inspectAttention, inspectLogits } from '../../src/core/explain/inspect.ts'
import { saliency } from '../../src/core/explain/saliency.ts'
import { decode } from '../../src/core/generate/generate.ts'
import { greedy } from '../../src/core/generate/sampler.ts'
import { accuracy, confusionMatrix, macroF1 } from '../../src/core/metrics/classification.ts'
import { evaluateBatch, exampleBatch, readScalars } from '../../src/core/train/objective.ts'
import { evaluateExamples } from '../../src/core/train/evaluate.ts'
import type { Turns } from '../../src/core/turns.ts'
import { classifyIds } from '../../src/data/examples.ts'
import { renderPrompt } from '../../src/data/templates.ts'
import type { SplitName } from '../../src/protocol/data.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import {
  SALIENCY_METHODS,
  type AttentionResult,
  type ExplainInput,
  type SaliencyRequest,
  type SaliencyResult,
} from '../../src/protocol/explain.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type {
  Evaluation,
  GenerateRequest,
  GenerateResult,
  LogitsResult,
  Prediction,
  Target,
} from '../../src/protocol/target.ts'
import { eachBatch, getDataset, readParts } from '../../src/store/datasets.ts'
import type { Store } from '../../src/store/database.ts'
import { unnamed } from './adapters.ts'
import type { LoadedModel, ModelLibrary } from './models.ts'
import { DatasetRows, taskOf } from './rows.ts'
import type { ResolvedTarget, Targets } from './targets.ts'
import { secondsLeft } from './time.ts'

/** Texts that go through the model at once. */
const BATCH = 16
/** Passes of one SmoothGrad or integrated gradients. */
const SAMPLES_LIMIT = 10_000
const GENERATE_DEFAULTS = { maxTokens: 128, temperature: 0.7, topK: 40, topP: 0.95, seed: 0 }

export class Ask {
  readonly #parts: { store: Store; models: ModelLibrary; targets: Targets; turns: Turns }

  constructor(parts: { store: Store; models: ModelLibrary; targets: Targets; turns: Turns }) {
    this.#parts = parts
  }

  logits(target: Target, text?: string, ids?: number[]): Promise<LogitsResult> {
    return this.#with(target, async (resolved) => {
      const { base, trainable } = resolved
      const tokens = ids ?? inputIds(resolved, { text: text ?? '' })
      checkIds(tokens, base.model.architecture)
      const { shape, logits } = await this.#parts.turns.take(() =>
        inspectLogits(base.model, tokens, trainable, base.padId),
      )
      return { ids: tokens, shape, logits }
    })
  }

  predict(
    target: Target,
    texts: string[],
    labels: string[] | undefined,
    context: CallContext,
  ): Promise<Prediction[]> {
    return this.#with(target, async (resolved) => {
      if (resolved.labels) return this.#classify(resolved, texts, resolved.labels, context)
      refuseEncoder(resolved.base, 'It labels texts once it was trained to: ask a classification run.')
      if (!labels || labels.length < 2)
        throw new GraftError(
          'E_ARGUMENT',
          'This target has no label head. Choose a classification run, or name at least two labels to compare.',
        )
      if (labels.some((label) => label.trim() === '') || new Set(labels).size < labels.length)
        throw new GraftError('E_ARGUMENT', 'The labels to compare must be different, and none may be empty.')
      const predictions: Prediction[] = []
      for (const text of texts) predictions.push(await this.#zeroShot(resolved, text, labels, context))
      return predictions
    })
  }

  generate(target: Target, request: GenerateRequest, context: CallContext): Promise<GenerateResult> {
    return this.#with(target, async ({ base, trainable, taskConfig, labels }) => {
      if (labels)
        throw new GraftError('E_ARGUMENT', 'A classification run gives labels, not text. Use predict.')
      refuseEncoder(base, 'To write text, choose a base such as Llama, Qwen, Gemma or GPT-2.')
      const { prompt, messages, stop = [], ...given } = request
      if ((prompt === undefined) === (messages === undefined))
        throw new GraftError('E_ARGUMENT', 'Give either a prompt or messages.')
      const settings = { ...GENERATE_DEFAULTS, ...given }
      checkGeneration(settings)
      const rendered = renderPrompt(taskConfig, base.tokenizer, messages ?? prompt!)
      checkIds(rendered.ids, base.model.architecture)
      let text = ''
      const started = performance.now()
      const { ids, stopReason } = await decode({
        model: base.model,
        adaptation: () => trainable.adaptation,
        turns: this.#parts.turns,
        prompt: rendered.ids,
        maxTokens: settings.maxTokens,
        endIds: base.endIds,
        sampling: settings,
        signal: context.signal,
        onToken: (tokens) => {
          text = base.tokenizer.decode(tokens)
          const ends = stop.map((mark) => text.indexOf(mark)).filter((at) => at >= 0)
          if (ends.length > 0) text = text.slice(0, Math.min(...ends))
          context.progress({
            label: 'Writing',
            done: tokens.length,
            total: settings.maxTokens,
            unit: 'tokens',
            secondsLeft: secondsLeft(started, tokens.length, settings.maxTokens),
            text,
          })
          return ends.length > 0
        },
      })
      return {
        text,
        tokens: ids,
        stopReason,
        tokensPerSecond: ids.length / Math.max(1e-3, (performance.now() - started) / 1000),
      }
    })
  }

  evaluate(target: Target, dataset: string, split: SplitName, context: CallContext): Promise<Evaluation> {
    return this.#with(target, async ({ base, trainable, run, taskConfig, labels: own }) => {
      const { store, turns } = this.#parts
      const data = await getDataset(store, dataset)
      const config = taskConfig ?? taskOf(data)
      // As in training further: classes that nobody has named are taken in the order of the data's labels.
      const unnamedClasses = own !== null && unnamed(own) && data.labels?.length === own.length
      const labels = unnamedClasses ? data.labels : own
      if (config.task === 'classify' && !labels)
        throw new GraftError('E_ARGUMENT', 'A base has no label head to evaluate. Choose a run.')
      if (config.task !== 'classify' && labels)
        throw new GraftError(
          'E_ARGUMENT',
          `A classifier cannot be evaluated on ${data.name}, which is set up for the task "${config.task}". Choose a dataset to classify.`,
          { dataset, task: config.task },
        )
      if (config.task !== 'classify') refuseEncoder(base, 'Only a classification run on it can be evaluated.')
      const maxLength = run?.config.training.maxLength ?? base.info.context
      const source = await DatasetRows.open(
        store,
        { dataset: data, taskConfig: config, labels, tokenizer: base.tokenizer, maxLength },
        split,
      )
      if (source.rows === 0)
        throw new GraftError(
          'E_DATASET',
          labels
            ? `The ${split} part of ${data.name} has no rows with one of the labels ${labels.join(', ')}. Choose a dataset with these labels, or another part.`
            : `The ${split} part of ${data.name} has no rows for this task. Split the dataset again, or choose another part.`,
        )
      const started = performance.now()
      const sums = await evaluateExamples({
        model: base.model,
        padId: base.padId,
        turns,
        source,
        places: Array.from({ length: source.rows }, (_, i) => i),
        trainable: () => trainable,
        batchSize: BATCH,
        signal: context.signal,
        onBatch: (done) =>
          context.progress({
            label: `Evaluating on ${split}`,
            done,
            total: source.rows,
            unit: 'rows',
            secondsLeft: secondsLeft(started, done, source.rows),
          }),
      })
      if (sums.labels === 0)
        throw new GraftError(
          'E_DATASET',
          `No row of the ${split} part leaves anything to measure within ${maxLength} tokens.`,
          { split, maxLength },
        )
      const loss = sums.loss / sums.labels
      if (!labels) return { rows: source.rows, loss, perplexity: Math.exp(loss) }
      const confusion = confusionMatrix(sums.gold, sums.predicted, labels.length)
      return {
        rows: source.rows,
        loss,
        accuracy: accuracy(confusion),
        macroF1: macroF1(confusion),
        majority: await this.#majority(dataset, config.columns.label!, labels, confusion),
        confusion,
        labels,
      }
    })
  }

  attention(target: Target, input: ExplainInput, context: CallContext): Promise<AttentionResult> {
    return this.#with(target, async (resolved) => {
      const { base, trainable } = resolved
      const ids = inputIds(resolved, input)
      checkIds(ids, base.model.architecture)
      const { layers, heads } = base.model.architecture
      const weights = await this.#parts.turns.take(() =>
        inspectAttention(
          base.model,
          ids,
          trainable,
          base.padId,
          (done) => context.progress({ label: 'Reading attention', done, total: layers, unit: 'items' }),
          context.signal,
        ),
      )
      return { tokens: base.tokenizer.tokens(ids), ids, layers, heads, weights }
    })
  }

  saliency(target: Target, request: SaliencyRequest, context: CallContext): Promise<SaliencyResult> {
    return this.#with(target, async (resolved) => {
      const { base, trainable, labels } = resolved
      const { turns } = this.#parts
      checkSaliency(request)
      const ids = inputIds(resolved, request)
      checkIds(ids, base.model.architecture)
      const position = explainedPosition(resolved, ids)
      const nameOf = (index: number) => (labels ? labels[index]! : base.tokenizer.tokens([index])[0]!)
      const { logits } = await turns.take(() =>
        inspectLogits(base.model, ids, trainable, base.padId, position),
      )
      const index = outputIndex(request.output, labels, logits)
      const { scores, logit, residual } = await saliency({
        model: base.model,
        turns,
        trainable,
        ids,
        method: request.method,
        output: index,
        ...(request.samples !== undefined && { samples: request.samples }),
        ...(request.seed !== undefined && { seed: request.seed }),
        ...(request.baseline !== undefined && { baseline: request.baseline }),
        position,
        padId: base.padId,
        onPass: (done, total) =>
          context.progress({ label: 'Following gradients', done, total, unit: 'items' }),
        signal: context.signal,
      })
      return {
        tokens: base.tokenizer.tokens(ids),
        ids,
        scores,
        method: request.method,
        output: { name: nameOf(index), index, logit },
        ...(residual !== undefined && { residual }),
      }
    })
  }

  async #with<T>(target: Target, work: (resolved: ResolvedTarget) => Promise<T>): Promise<T> {
    const resolved = await this.#parts.targets.resolve(target)
    try {
      return await work(resolved)
    } finally {
      resolved.release()
    }
  }

  async #classify(
    resolved: ResolvedTarget,
    texts: string[],
    labels: string[],
    context: CallContext,
  ): Promise<Prediction[]> {
    const { base, trainable } = resolved
    const predictions: Prediction[] = []
    for (let start = 0; start < texts.length; start += BATCH) {
      throwIfAborted(context.signal)
      const examples = texts.slice(start, start + BATCH).map((text) => {
        const ids = inputIds(resolved, { text })
        checkIds(ids, base.model.architecture)
        return { ids, label: 0 }
      })
      const flat = await this.#parts.turns.take(async () => {
        const { architecture, family } = base.model
        const batch = exampleBatch(examples, base.padId, architecture.context, family.classifier.row)
        try {
          const { loss, logits } = evaluateBatch(base.model, batch, trainable, 1)
          const values = (await logits!.data()) as Float32Array
          dispose([loss, logits!])
          return values
        } finally {
          batch.dispose()
        }
      })
      for (let row = 0; row < examples.length; row++)
        predictions.push(prediction(labels, flat.subarray(row * labels.length, (row + 1) * labels.length)))
      context.progress({ label: 'Predicting', done: predictions.length, total: texts.length, unit: 'rows' })
    }
    return predictions
  }

  /** What a model without a head thinks: the mean log-likelihood of each label's name as the line after the text. */
  async #zeroShot(
    { base, trainable }: ResolvedTarget,
    text: string,
    labels: string[],
    context: CallContext,
  ): Promise<Prediction> {
    const prompt = base.tokenizer.encode(`${text}\n`)
    checkIds(prompt, base.model.architecture)
    const scores: number[] = []
    for (const label of labels) {
      throwIfAborted(context.signal)
      const name = base.tokenizer.encode(label.replaceAll('_', ' '), { special: false })
      const ids = [...prompt, ...name]
      checkIds(ids, base.model.architecture)
      const score = await this.#parts.turns.take(async () => {
        const batch = exampleBatch(
          [{ ids, labels: [...prompt.map(() => -100), ...name] }],
          base.padId,
          base.model.architecture.context,
        )
        try {
          const { loss } = evaluateBatch(
            base.model,
            batch,
            { ...trainable, classify: false },
            -1 / Math.max(1, batch.labelCount),
          )
          return (await readScalars([loss]))[0]!
        } finally {
          batch.dispose()
        }
      })
      scores.push(score)
    }
    return prediction(labels, Float32Array.from(scores))
  }

  /** Share of the evaluated rows that carry the label most frequent in the training part. */
  async #majority(dataset: string, column: string, labels: string[], confusion: number[][]): Promise<number> {
    const { store } = this.#parts
    const data = await getDataset(store, dataset)
    const place = data.columns.findIndex(({ name }) => name === column)
    const { parts } = await readParts(store, dataset)
    const counts = new Map<string, number>()
    for await (const { start, rows } of eachBatch(store, dataset))
      rows.forEach((cells, i) => {
        const label = cells[place]!.trim()
        if (parts[start + i] === 0) counts.set(label, (counts.get(label) ?? 0) + 1)
      })
    const frequent = labels.reduce(
      (best, label) => ((counts.get(label) ?? 0) > (counts.get(best) ?? 0) ? label : best),
      labels[0]!,
    )
    const total = confusion.flat().reduce((sum, n) => sum + n, 0)
    return confusion[labels.indexOf(frequent)]!.reduce((sum, n) => sum + n, 0) / total
  }
}

/** Token ids of an input, as the target learned to read it: a classifier cuts a text at its training length. */
function inputIds({ base, taskConfig, labels, run }: ResolvedTarget, input: ExplainInput): number[] {
  if ('messages' in input) return renderPrompt(taskConfig, base.tokenizer, input.messages).ids
  if (!labels) return base.tokenizer.encode(input.text)
  const { ids, empty } = classifyIds(
    base.tokenizer,
    input.text,
    run?.config.training.maxLength ?? base.info.context,
  )
  return empty ? [] : ids
}

/**
 * The token whose scores are explained: the classifier's, the last one of a model that writes, the masked one of a model
 * that fills masks.
 */
function explainedPosition({ base, labels }: ResolvedTarget, ids: readonly number[]): number {
  const { kind } = base.model.architecture
  if (labels) return base.model.family.classifier.row === 'first' ? 0 : ids.length - 1
  if (kind === 'decoder') return ids.length - 1
  const { maskId, maskText } = base.tokenizer
  const at = maskId === null ? -1 : ids.indexOf(maskId)
  if (at < 0)
    throw new GraftError(
      'E_ARGUMENT',
      maskText === null
        ? `${base.info.name} has no mask token, so on its own it predicts nothing to explain. Choose a classification run.`
        : `${base.info.name} fills masks: write ${maskText} in place of the word that is to be explained.`,
      { mask: maskText },
    )
  return at
}

/** Encoders read a whole text at once; they do not continue one. */
function refuseEncoder({ model, info }: LoadedModel, advice: string): void {
  if (model.architecture.kind === 'encoder')
    throw new GraftError('E_ARGUMENT', `${info.name} reads whole texts and does not write. ${advice}`, {
      model: info.id,
    })
}

function checkSaliency({ method, samples }: SaliencyRequest): void {
  if (!SALIENCY_METHODS.includes(method))
    throw new GraftError(
      'E_ARGUMENT',
      `There is no method "${String(method)}". There are: ${SALIENCY_METHODS.join(', ')}.`,
    )
  if (samples !== undefined && !(Number.isInteger(samples) && samples >= 1 && samples <= SAMPLES_LIMIT))
    throw new GraftError(
      'E_ARGUMENT',
      `samples must be a whole number from 1 to ${SAMPLES_LIMIT}, but is ${samples}.`,
    )
}

/** Softmax of logits as a named prediction. */
function prediction(labels: readonly string[], logits: Float32Array): Prediction {
  const largest = Math.max(...logits)
  const weights = Array.from(logits, (logit) => Math.exp(logit - largest))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const scores = Object.fromEntries(labels.map((label, i) => [label, weights[i]! / total]))
  return { label: labels[weights.indexOf(Math.max(...weights))]!, scores }
}

function checkIds(ids: readonly number[], { vocab, context }: { vocab: number; context: number }): void {
  if (ids.length === 0) throw new GraftError('E_ARGUMENT', 'The text is empty. Write at least one character.')
  if (ids.length > context)
    throw new GraftError(
      'E_LIMIT',
      `The text has ${ids.length} tokens; this model reads at most ${context}. Shorten it.`,
      { tokens: ids.length, context },
    )
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocab)
  if (wrong !== undefined)
    throw new GraftError(
      'E_ARGUMENT',
      `${wrong} is no token id of this model; ids go from 0 to ${vocab - 1}.`,
    )
}

function checkGeneration({ maxTokens, temperature, topK, topP }: typeof GENERATE_DEFAULTS): void {
  const refuse = (name: string, wanted: string, value: number) => {
    throw new GraftError('E_ARGUMENT', `${name} must be ${wanted}, but is ${value}.`, {
      setting: name,
      value,
    })
  }
  if (!Number.isInteger(maxTokens) || maxTokens < 1) refuse('maxTokens', 'a whole number from 1', maxTokens)
  if (!(temperature >= 0)) refuse('temperature', '0 or more', temperature)
  if (!Number.isInteger(topK) || topK < 0) refuse('topK', 'a whole number, 0 for all', topK)
  if (!(topP > 0 && topP <= 1)) refuse('topP', 'above 0 and at most 1', topP)
}

function outputIndex(
  output: string | number | undefined,
  labels: string[] | null,
  logits: Float32Array,
): number {
  if (output === undefined) return greedy(logits)
  const index = typeof output === 'number' ? output : (labels?.indexOf(output) ?? -1)
  if (!Number.isInteger(index) || index < 0 || index >= logits.length)
    throw new GraftError(
      'E_ARGUMENT',
      labels
        ? `"${output}" is not one of the labels: ${labels.join(', ')}.`
        : `${output} is no token id; ids go from 0 to ${logits.length - 1}.`,
    )
  return index
}
