// An adapter from PEFT's files, checked against the base it is to stand beside: nothing in it is believed, every tensor is
// used or named. The base's name in it is only a hint; the shapes decide.
import {
  parseSafetensors,
  readTensor,
  type TensorEntry,
  type TensorToWrite,
} from '../../formats/safetensors.ts'
import { GraftError } from '../../protocol/errors.ts'
import type { AdapterConfig } from '../../protocol/run.ts'
import type { Architecture, Family } from '../models/architecture.ts'
import { tensorSpecs } from '../models/tensors.ts'
import { loraNames, savedName } from '../nn/adaptation.ts'
import { transpose } from './baseValues.ts'
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS } from './peft.ts'
import { CLASSIFIER_MODULES } from './peftConfig.ts'
import { peftTensor } from './peftNames.ts'
import { linearLayers, moduleOf, planAdapter, type AdapterPlan } from './plan.ts'
import { readConfig, type PeftSettings } from './readConfig.ts'
import { endsWith, isTargeted, isWhole } from './targets.ts'

export interface ImportedAdapter {
  config: AdapterConfig
  task: 'causal' | 'classify'
  /** Number of classes of a classifier. */
  labels: number | null
  /** By Graft's names (those of the parameter store), in the engine's orientation. */
  tensors: TensorToWrite[]
  plan: AdapterPlan
  /** What its own files say it was trained on. */
  baseName: string | null
  revision: string | null
  /** Sentences about what was found odd and taken nevertheless. */
  warnings: string[]
}

/** Tensors of the file by what they are. */
interface Contents {
  /** Kinds of factors by module path. */
  factors: Map<string, Map<'a' | 'b' | 'magnitude', TensorEntry>>
  saved: Map<string, TensorEntry>
}

/**
 * @param files by name; folders in front of the names are looked through
 * @param bare whether the base came without the layers that a classifier may take from it (BERT's pooler)
 * @throws E_FORMAT where files are missing or broken, E_MODEL_UNSUPPORTED for adapters of kinds that Graft does not use,
 * E_MODEL_FILES, naming the tensor, where the adapter and the base do not fit
 */
export function readPeft(
  files: ReadonlyMap<string, Uint8Array>,
  family: Family,
  architecture: Architecture,
  bare = false,
): ImportedAdapter {
  const settings = readConfig(parseJson(find(files, ADAPTER_CONFIG)))
  const bytes = find(files, ADAPTER_WEIGHTS)
  const contents = sort([...parseSafetensors(bytes).tensors.values()], family)
  const task = settings.task ?? guessTask(contents, family)
  const labels = task === 'classify' ? classes(contents, family) : null
  if (task === 'causal' && architecture.kind === 'encoder')
    throw unfit('it is for a language model, and this base reads texts as a whole')
  const warnings = [...settings.warnings]
  checkTying(settings, contents, family, architecture, labels !== null)
  const config = fitted(settings, contents, family, architecture, labels !== null, warnings)
  const plan = planAdapter(family, architecture, config, labels, bare)
  const tensors = takeTensors(plan, config, contents, bytes)
  return {
    config,
    task,
    labels,
    tensors,
    plan,
    baseName: settings.baseName,
    revision: settings.revision,
    warnings,
  }
}

function find(files: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const found = [...files].filter(([path]) => path === name || path.endsWith(`/${name}`))
  if (found.length === 1) return found[0]![1]
  const several = found.length > 1
  const pickled = [...files.keys()].find((path) => /adapter_model\.(bin|pt|pth)$/.test(path))
  throw new GraftError(
    'E_FORMAT',
    several
      ? `There are ${found.length} files named ${name}. Choose the folder of one adapter.`
      : name === ADAPTER_WEIGHTS && pickled
        ? `The adapter has only ${pickled}, which can run code when it is read. Save it again with safe_serialization=True.`
        : `The adapter has no ${name}. PEFT's adapters are ${ADAPTER_CONFIG} and ${ADAPTER_WEIGHTS}.`,
    { file: name },
  )
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new GraftError('E_FORMAT', `${ADAPTER_CONFIG} is not JSON. Fetch the adapter again.`, {}, { cause })
  }
}

function sort(entries: TensorEntry[], family: Family): Contents {
  const contents: Contents = { factors: new Map(), saved: new Map() }
  for (const entry of entries) {
    const what = peftTensor(entry.name, family)
    if (what.kind === 'copy') continue
    const place = what.kind === 'saved' ? contents.saved : layerOf(contents, what.path)
    const key = what.kind === 'saved' ? what.name : what.kind
    // PEFT writes trained biases of saved modules twice; they are the same.
    if (!place.has(key as never)) (place as Map<string, TensorEntry>).set(key, entry)
    else if (what.kind !== 'saved')
      throw new GraftError('E_FORMAT', `The adapter has two tensors for ${entry.name}.`, {
        tensor: entry.name,
      })
  }
  return contents
}

function layerOf({ factors }: Contents, path: string) {
  const found = factors.get(path) ?? new Map<'a' | 'b' | 'magnitude', TensorEntry>()
  factors.set(path, found)
  return found
}

function guessTask({ saved }: Contents, family: Family): 'causal' | 'classify' {
  const paths = family.classifier.layers.filter(({ base }) => !base).map(({ path }) => path)
  return paths.some((path) => saved.has(`${path}.weight`)) ? 'classify' : 'causal'
}

/** Rows of the classifier's last layer. */
function classes({ saved }: Contents, family: Family): number {
  const name = `${family.classifier.layers.at(-1)!.path}.weight`
  const rows = saved.get(name)?.shape[0]
  if (rows === undefined) throw unfit(`it is a classifier (SEQ_CLS) and has no ${name}`, name)
  if (rows < 1) throw unfit(`its ${name} has no rows`, name)
  return rows
}

/** A tied table that was trained apart from the head has no place here: they are one tensor, by the table's name. */
function checkTying(
  { config, ensureWeightTying }: PeftSettings,
  { saved }: Contents,
  { names }: Family,
  { tiedHead }: Architecture,
  classify: boolean,
): void {
  if (!tiedHead || classify) return
  const apart = [names.tokens, names.head.path].find(
    (path) => saved.has(`${path}.weight`) && isWhole(path, config.modulesToSave),
  )
  if (apart && !ensureWeightTying)
    throw new GraftError(
      'E_MODEL_UNSUPPORTED',
      `The adapter trained ${apart} alone, but in this base the token table and the output head are one tensor. Train it again with ensure_weight_tying, or merge it with peft and load the result as a base.`,
      { tensor: `${apart}.weight` },
    )
  const [table, head] = [`${names.tokens}.weight`, `${names.head.path}.weight`]
  const alone = saved.has(table) ? undefined : saved.get(head)
  if (alone) saved.set(table, alone)
  saved.delete(head)
}

/** The settings with targets and whole modules as this base has them. */
function fitted(
  { config, excludeModules }: PeftSettings,
  contents: Contents,
  family: Family,
  architecture: Architecture,
  classify: boolean,
  warnings: string[],
): AdapterConfig {
  const layers = linearLayers(family, architecture, classify)
  const stranger = [...contents.factors.keys()].find((path) => !layers.some((layer) => layer.path === path))
  if (stranger !== undefined) throw unfit(`it adapts ${stranger}, which this base has not`, stranger)
  if (contents.factors.size === 0) throw unfit('it has no factors (lora_A, lora_B) at all')
  const specs = tensorSpecs(family, architecture)
  const own = (module: string) =>
    family.classifier.modules.includes(module) || (CLASSIFIER_MODULES as readonly string[]).includes(module)
  const modulesToSave = config.modulesToSave.filter(
    (module) => !(classify && own(module)) && specs.some(({ name }) => isWhole(moduleOf(name), [module])),
  )
  for (const name of contents.saved.keys()) {
    const module = moduleOf(name)
    const expected =
      isWhole(module, modulesToSave) ||
      (name.endsWith('.bias') && config.bias !== 'none') ||
      !specs.some((spec) => spec.name === name)
    if (expected || (classify && family.classifier.layers.some(({ path }) => path === module))) continue
    warnings.push(`It brings its own ${name}, which its settings do not name; it is used.`)
    modulesToSave.push(module)
  }
  const settings = { ...config, modulesToSave }
  // Targets that mean nothing here are no fault: PEFT itself writes those of saved modules.
  const meant = (name: string) => layers.some(({ path }) => endsWith(path, name))
  const targets = typeof config.targets === 'string' ? config.targets : config.targets.filter(meant)
  const found = layers.map(({ path }) => path).filter((path) => contents.factors.has(path))
  const selected = selectedPaths(layers, { ...settings, targets }, excludeModules)
  const missing = selected?.find((path) => !contents.factors.has(path))
  if (missing !== undefined)
    throw unfit(`its settings name ${missing}, and it has no tensors for that`, missing)
  const same = selected?.length === found.length && excludeModules.length === 0
  return { ...settings, ...(same ? { targets } : { targets: found, layersToTransform: null }) }
}

/** Null where the expression is one of Python's that JavaScript does not read: then the tensors alone decide. */
function selectedPaths(
  layers: ReturnType<typeof linearLayers>,
  settings: AdapterConfig,
  excluded: string | string[],
): string[] | null {
  try {
    const out = (path: string, layer: number) =>
      excluded.length > 0 &&
      isTargeted(path, layer, { targets: excluded, layersToTransform: null, modulesToSave: [] })
    return layers
      .filter(({ path, layer }) => isTargeted(path, layer, settings) && !out(path, layer))
      .map(({ path }) => path)
  } catch {
    return null
  }
}

function takeTensors(
  plan: AdapterPlan,
  config: AdapterConfig,
  contents: Contents,
  bytes: Uint8Array,
): TensorToWrite[] {
  const taken = new Set<TensorEntry>()
  const take = (entry: TensorEntry | undefined, what: string, shape: readonly number[]): Float32Array => {
    if (!entry) throw unfit(`it has no ${what}`, what)
    if (entry.shape.length !== shape.length || entry.shape.some((size, i) => size !== shape[i]))
      throw unfit(
        `${entry.name} has the shape [${entry.shape.join(', ')}], and [${shape.join(', ')}] is needed`,
        entry.name,
      )
    taken.add(entry)
    const values = readTensor(bytes, entry)
    if (!values.every(Number.isFinite))
      throw new GraftError('E_FORMAT', `${entry.name} holds values that are no numbers.`, {
        tensor: entry.name,
      })
    return values
  }
  const tensors: TensorToWrite[] = []
  const add = (name: string, shape: readonly number[], data: Float32Array) =>
    tensors.push({ name, shape: [...shape], data })
  for (const { path, shape, r } of plan.layers) {
    const [out, inputs] = shape
    const names = loraNames(path)
    const layer = contents.factors.get(path)
    add(names.a, [r, inputs], take(layer?.get('a'), names.a, [r, inputs]))
    add(names.b, [out, r], take(layer?.get('b'), names.b, [out, r]))
    if (config.useDora) add(names.magnitude, [out], take(layer?.get('magnitude'), names.magnitude, [out]))
  }
  for (const { name, shape, transposed } of plan.saved) {
    const stored = transposed ? [...shape].reverse() : shape
    const values = take(contents.saved.get(name), savedName(name), stored)
    add(savedName(name), shape, transposed ? transpose(values, shape[1]!, shape[0]!) : values)
  }
  const all = [
    ...[...contents.factors.values()].flatMap((layer) => [...layer.values()]),
    ...contents.saved.values(),
  ]
  const extra = all.filter((entry) => !taken.has(entry)).map(({ name }) => name)
  if (extra.length > 0)
    throw unfit(
      `${extra.slice(0, 3).join(', ')}${extra.length > 3 ? ` and ${extra.length - 3} more` : ''} mean nothing here`,
      extra[0]!,
    )
  return tensors
}

function unfit(what: string, tensor?: string): GraftError {
  return new GraftError(
    'E_MODEL_FILES',
    `The adapter does not fit this base: ${what}. Choose the base that it was trained on.`,
    tensor === undefined ? {} : { tensor },
  )
}
