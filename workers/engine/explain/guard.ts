// What a script may hand over in place of a request: anything. Before a method reads it, it is known to be an object whose
// settings are of their kind, so that a wrong one is refused by name and not by whatever it breaks first. Ranges and
// choices are each method's own.
import { GraftError } from '../../../src/protocol/errors.ts'
import type { ExplainMethod } from '../../../src/protocol/explain.ts'
import { checkTarget } from '../targets.ts'
import type { Explainer } from './desk.ts'

type Explainers = { [M in ExplainMethod]: Explainer<M> }

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isList = (value: unknown) => Array.isArray(value) || ArrayBuffer.isView(value)
const isText = (value: unknown) => typeof value === 'string'

interface Kind {
  is: (value: unknown) => boolean
  wanted: string
}
const TEXT: Kind = { is: isText, wanted: 'a text' }
const NAME: Kind = {
  is: (value) => isText(value) || typeof value === 'number',
  wanted: 'a name or a number',
}
const LIST: Kind = { is: isList, wanted: 'a list' }

/** Settings that are no number and no choice from a list, which their methods check themselves. */
const KINDS: Record<string, Kind> = {
  dataset: TEXT,
  split: TEXT,
  output: NAME,
  contrast: NAME,
  heads: LIST,
  positions: LIST,
  scores: LIST,
  ngrams: LIST,
  methods: LIST,
  indices: LIST,
  checkpoints: LIST,
  values: LIST,
  maps: LIST,
  texts: { is: (value) => Array.isArray(value) && value.every(isText), wanted: 'a list of texts' },
  compare: {
    is: (value) =>
      isObject(value) &&
      [value['target'], value['input']].every((part) => part === undefined || isObject(part)),
    wanted: 'an object with a target or an input, or both',
  },
}

/** The same methods, which refuse requests of a wrong kind with E_ARGUMENT. */
export function guarded(explainers: Explainers): Explainers {
  const entries = Object.entries(explainers).map(([name, explainer]) => [
    name,
    (...args: Parameters<Explainer<ExplainMethod>>) => {
      checkTarget(args[1])
      checkKinds(args[2])
      return (explainer as Explainer<ExplainMethod>)(...args)
    },
  ])
  return Object.fromEntries(entries) as Explainers
}

function checkKinds(request: unknown): void {
  if (!isObject(request))
    throw new GraftError('E_ARGUMENT', 'A request is an object: give a text, for example { text: "..." }.')
  for (const [name, value] of Object.entries(request)) {
    if (value === undefined) continue
    const kind = KINDS[name]
    if (value === null || Number.isNaN(value) || (kind && !kind.is(value)))
      throw new GraftError(
        'E_ARGUMENT',
        `${name} cannot be ${shown(value)}${kind ? `: it is ${kind.wanted}` : ''}. Leave it out for its default.`,
        { setting: name },
      )
  }
}

/** As a person would write it: JSON has no NaN. */
const shown = (value: unknown): string =>
  typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? typeof value)
