// The health report of a stored dataset: its rows as a table, its task and split, and a base's tokenizer to count with.
import { classifyExamples, languageExamples } from '../src/data/examples.ts'
import { DEFAULT_LENGTH, type Measure } from '../src/data/health/lengths.ts'
import { judge } from '../src/data/health/report.ts'
import { loadTokenizer, type TextTokenizer } from '../src/data/tokenizer.ts'
import type { Dataset, TaskConfig } from '../src/protocol/data.ts'
import { GraftError } from '../src/protocol/errors.ts'
import type { Finding, HealthOptions, HealthReport, Remedy } from '../src/protocol/health.ts'
import type { CallContext } from '../src/protocol/progress.ts'
import { readBlob } from '../src/store/chunks.ts'
import type { Store } from '../src/store/database.ts'
import { eachBatch, getDataset, readParts, readRowsAt } from '../src/store/datasets.ts'
import { findModel } from '../src/store/models.ts'
import { cellsKey } from '../src/data/recipe/rowKeys.ts'
import type { RecipeStep } from '../src/protocol/recipe.ts'
import { readRecipe } from '../src/store/recipes.ts'

/** Throws E_NOT_FOUND, and what `judge` throws. */
export async function healthReport(
  store: Store,
  id: string,
  options: HealthOptions,
  context: CallContext,
): Promise<HealthReport> {
  const started = performance.now()
  const dataset = await getDataset(store, id)
  const config = options.config ?? dataset.config ?? dataset.suggestion
  const { parts } = await readParts(store, id)
  const recipe = await readRecipe(store, id)
  const weighed = (recipe?.recipe.steps ?? []).flatMap((step) =>
    step.kind === 'weigh' && step.enabled !== false ? [step.column] : [],
  )
  const judged = await judge(
    {
      columns: dataset.columns.map(({ name }) => name),
      rows: dataset.rows,
      batches: () => eachBatch(store, dataset),
    },
    {
      types: dataset.columns.map(({ type }) => type),
      config,
      parts,
      weighed,
      measure:
        options.model === undefined || !config ? null : await measureWith(store, dataset, config, options),
    },
    options,
    context,
  )
  return {
    dataset: id,
    createdAt: Date.now(),
    seconds: (performance.now() - started) / 1000,
    ...judged,
    findings: await byRawId(store, dataset, judged.findings),
  }
}

/**
 * Recipes know rows by their raw id, and those that a step added by what is in them, so that the rows they were made from stay;
 * a report names all by where they stand now.
 */
async function byRawId(store: Store, dataset: Dataset, findings: Finding[]): Promise<Finding[]> {
  const record = dataset.version && (await readRecipe(store, dataset.id))
  const { ids, synthetic } = record ?? {}
  if (!ids) return findings
  const translated = async (step: RecipeStep): Promise<RecipeStep> => {
    if (step.kind !== 'dropRows') return step
    const rows = step.rows.filter((row) => !synthetic?.[row]).map((row) => ids[row]!)
    const added = step.rows.filter((row) => synthetic?.[row])
    if (added.length === 0) return { ...step, rows }
    const made = (await readRowsAt(store, dataset, added)).map((cells) => cellsKey(cells))
    return { ...step, rows, made: [...new Set(made)] }
  }
  const all: Finding[] = []
  for (const finding of findings) {
    const remedies: Remedy[] = []
    for (const remedy of finding.remedies)
      remedies.push({ ...remedy, steps: await Promise.all(remedy.steps.map(translated)) })
    all.push({ ...finding, remedies })
  }
  return all
}

/** Rows made into examples as training makes them; the count is of the whole row, before the cut. */
async function measureWith(
  store: Store,
  dataset: Dataset,
  config: TaskConfig,
  { model, maxLength = DEFAULT_LENGTH }: HealthOptions,
): Promise<Measure> {
  const { tokenizer, name, context } = await tokenizerOf(store, model!)
  const columns = dataset.columns.map((column) => column.name)
  const longest = Math.min(maxLength, context)
  if (config.task === 'classify') {
    const place = columns.indexOf(config.columns.label ?? '')
    return {
      model: name,
      of(cells) {
        // Labels are judged elsewhere; here each row's own is among them.
        const label = (cells[place] ?? '').trim()
        const make = classifyExamples(config, columns, [label], tokenizer, { maxLength: Infinity })
        const { ids, problem = null } = make(cells)
        return { tokens: ids.length, truncated: ids.length > longest, problem }
      },
    }
  }
  const whole = languageExamples(config, columns, tokenizer, { maxLength: Infinity })
  const cut = languageExamples(config, columns, tokenizer, { maxLength: longest })
  return {
    model: name,
    of(cells) {
      const { ids, problem = null } = whole(cells)
      const truncated = ids.length > longest
      return { tokens: ids.length, truncated, problem: truncated ? (cut(cells).problem ?? null) : problem }
    },
  }
}

/** The tokenizer of a base in this browser; its patterns were tried when the base was stored. Throws E_NOT_FOUND. */
async function tokenizerOf(
  store: Store,
  model: string,
): Promise<{ tokenizer: TextTokenizer; name: string; context: number }> {
  const record = await findModel(store, model)
  if (!record)
    throw new GraftError('E_NOT_FOUND', `There is no base "${model}" in this browser. Load it first.`, {
      model,
    })
  const text = async (name: string): Promise<string | undefined> => {
    const file = record.files.find((candidate) => candidate.name === name)
    return file && new TextDecoder().decode(await readBlob(store, file, name))
  }
  const json = async (name: string): Promise<unknown> => {
    const found = await text(name)
    return found === undefined ? undefined : JSON.parse(found)
  }
  const config = ((await json('tokenizer_config.json')) ?? {}) as Parameters<typeof loadTokenizer>[1]
  const other: unknown = Object(await json('chat_template.json')).chat_template
  const template = (await text('chat_template.jinja')) ?? (typeof other === 'string' ? other : undefined)
  const { name, vocab, context } = record.info
  return {
    tokenizer: loadTokenizer(await json('tokenizer.json'), config, template, vocab),
    name,
    context,
  }
}
