// Questions to a base or a run: logits, labels, text, evaluations. Each resolves its target, takes its
// turns on the device, and frees what it used.
import { dispose } from '@tensorflow/tfjs-core'
import { inspectLogits } from '../../src/core/explain/inspect.ts'
import { accuracy, confusionMatrix, macroF1 } from '../../src/core/metrics/classification.ts'
import { evaluateBatch, exampleBatch, readScalars } from '../../src/core/train/objective.ts'
import { evaluateExamples } from '../../src/core/train/evaluate.ts'
import type { Turns } from '../../src/core/turns.ts'
import { renderPrompt } from '../../src/data/templates.ts'
import type { SplitName } from '../../src/protocol/data.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import type {
  Evaluation,
  GenerateRequest,
  GenerateResult,
  LogitsResult,
  Prediction,
  Target,
} from '../../src/protocol/target.ts'
import type { WriteRowsRequest, WrittenRows } from '../../src/protocol/written.ts'
import { eachBatch, getDataset, readParts } from '../../src/store/datasets.ts'
import type { Store } from '../../src/store/database.ts'
import { unnamed } from './adapters.ts'
import type { ModelLibrary } from './models.ts'
import { checkGeneration, checkIds, GENERATE_DEFAULTS, inputIds, refuseEncoder } from './questions.ts'
import { DatasetRows, taskOf } from './rows.ts'
import type { ResolvedTarget, Targets } from './targets.ts'
import { secondsLeft } from './time.ts'
import { writeRows } from './writeRows.ts'
import { refuseClassifier, writeText } from './writeText.ts'

/** Texts that go through the model at once. */
const BATCH = 16

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
      refuseClassifier(base, labels)
      const { prompt, messages, stop = [], ...given } = request
      if ((prompt === undefined) === (messages === undefined))
        throw new GraftError('E_ARGUMENT', 'Give either a prompt or messages.')
      const settings = { ...GENERATE_DEFAULTS, ...given }
      checkGeneration(settings)
      const rendered = renderPrompt(taskConfig, base.tokenizer, messages ?? prompt!)
      checkIds(rendered.ids, base.model.architecture)
      const started = performance.now()
      const { text, tokens, stopReason } = await writeText(
        { base, trainable },
        this.#parts.turns,
        { ids: rendered.ids, settings, stop },
        context.signal,
        (text, tokens) =>
          context.progress({
            label: 'Writing',
            done: tokens,
            total: settings.maxTokens,
            unit: 'tokens',
            secondsLeft: secondsLeft(started, tokens, settings.maxTokens),
            text,
          }),
      )
      return {
        text,
        tokens,
        stopReason,
        tokensPerSecond: tokens.length / Math.max(1e-3, (performance.now() - started) / 1000),
      }
    })
  }

  /** Rows for the training part of a dataset, which nothing has been added to yet. */
  writeRows(dataset: string, request: WriteRowsRequest, context: CallContext): Promise<WrittenRows> {
    return this.#with(request.target, (resolved) =>
      writeRows(this.#parts, resolved, dataset, request, context),
    )
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
    for await (const { start, rows } of eachBatch(store, data))
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

/** Softmax of logits as a named prediction. */
function prediction(labels: readonly string[], logits: Float32Array): Prediction {
  const largest = Math.max(...logits)
  const weights = Array.from(logits, (logit) => Math.exp(logit - largest))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const scores = Object.fromEntries(labels.map((label, i) => [label, weights[i]! / total]))
  return { label: labels[weights.indexOf(Math.max(...weights))]!, scores }
}
