// What a run's film may be: its settings with their ranges and words, checked in one place.
import { GraftError } from './errors.ts'
import {
  FILM_MAPS,
  FILM_TEXTS,
  type FilmConfig,
  type FilmMap,
  type FilmRequest,
  type FilmText,
} from './explain/film.ts'
import { checkSettings, type NumberSetting } from './setting.ts'

export const FILM_SETTINGS = {
  every: {
    kind: 'number',
    label: 'A frame every',
    unit: 'steps',
    min: 0,
    max: 1_000_000,
    integer: true,
    help: 'Steps between frames. 0: about twenty frames over the run. Frames besides: before the first step, and at the end.',
  },
} as const satisfies Record<string, NumberSetting>

/** Characters of one text: far more than its tokens that are kept. */
const CHARACTERS = 20_000

/** A film with its defaults. Throws E_ARGUMENT naming the setting. */
export function filmConfig(given: FilmRequest): FilmConfig {
  const { texts, every = 0, maps = [...FILM_MAPS], ...others } = given
  const unknown = Object.keys(others)[0]
  if (unknown !== undefined)
    throw new GraftError('E_ARGUMENT', `film.${unknown} is not a setting. Known: texts, every, maps.`)
  checkSettings('film', FILM_SETTINGS, { every })
  if (!Array.isArray(texts) || texts.length < 1 || texts.length > FILM_TEXTS)
    throw new GraftError(
      'E_ARGUMENT',
      `film.texts must be a list of 1 to ${FILM_TEXTS} texts. Leave film out to record none.`,
      { setting: 'texts' },
    )
  const wrong = Array.isArray(maps) ? maps.find((map) => !FILM_MAPS.includes(map)) : String(maps)
  if (wrong !== undefined || maps.length === 0)
    throw new GraftError(
      'E_ARGUMENT',
      `film.maps must be a list of ${FILM_MAPS.join(' and ')}, or one of them${wrong === undefined ? '' : `, but holds ${String(wrong)}`}.`,
      { setting: 'maps' },
    )
  return { texts: texts.map(filmText), every, maps: [...new Set<FilmMap>(maps)] }
}

function filmText(given: string | FilmText, at: number): FilmText {
  const { text, output } = typeof given === 'string' ? { text: given, output: undefined } : given
  if (typeof text !== 'string' || !text.trim() || text.length > CHARACTERS)
    throw new GraftError(
      'E_ARGUMENT',
      `film.texts: number ${at + 1} must be a text of 1 to ${CHARACTERS.toLocaleString('en')} characters.`,
      { setting: 'texts', at },
    )
  if (output !== undefined && typeof output !== 'string')
    throw new GraftError('E_ARGUMENT', `film.texts: the output of number ${at + 1} must be a text.`, {
      setting: 'texts',
      at,
    })
  return output === undefined ? { text } : { text, output }
}
