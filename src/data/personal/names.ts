// Names of people, found by the title before them. Names alone are words like others; finding them all needs a model.
import type { PersonalMatch } from './match.ts'

const TITLE = String.raw`(?:Mrs?|Ms|Mx|Miss|Dr|Prof|Professor|Doctor|Sir|Dame|Herrn?|Frau|Monsieur|Madame|Mademoiselle|Mme|Mlle|Señor|Señora|Sra?|Don|Doña|Signora?|Sig\.ra|Sig|Dott|Dhr|Mevrouw|Meneer|Mevr|Mw)`
const WORD = String.raw`\p{Lu}[\p{Ll}\p{M}]+(?:['’-]?\p{Lu}[\p{Ll}\p{M}]+)*|\p{Lu}['’]\p{Lu}[\p{Ll}\p{M}]+|\p{Lu}\.`
const PARTICLE = String.raw`(?:van|von|de|der|den|del|della|di|da|la|le|ten|ter|zu|bin|al|dos|das|'t|in 't)`
const NAMED = new RegExp(
  String.raw`(?<![\p{L}\d])(${TITLE}(?:\.|(?= ))(?: (?:${TITLE})(?:\.|(?= )))* ?)` +
    String.raw`((?:${WORD})(?: (?:${PARTICLE} ){0,2}(?:${WORD})){0,2}|(?:${PARTICLE} ){1,2}(?:${WORD}))(?!\p{L})`,
  'gu',
)

/** What follows a title in the names of things. */
const THINGS =
  /^(Pepper|Martens?|Clean|Muscle|Dash|Tussauds?|Seuss|Bean|Beast|Potato|Universe|World|America|Who|Office|Word|Excel|Windows|Teams|Right|You|Apt|Apartment|Suite|Unit|Floor|Building|North|South|East|West|Quixote|President|Chairman|Speaker|Minister|Ambassador)(?!\p{L})/u
/** Words that begin a sentence and are not part of a name. */
const STARTERS = new Set(
  (
    'The This That These Those My Your Our We You They He She It On In At For And But Or So If When Where Why How What ' +
    'Who Which Please Thanks Thank Hello Hi Dear Regards Sincerely Can Could Would Will Is Was Are Were Has Have Had Do ' +
    'Does Did Not No Yes Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April June ' +
    'July August September October November December Account Order Customer Tel Phone Email Address Der Die Das Und Bitte ' +
    'Danke Ich Wir Sie El La Los Las Le Les Il Lo'
  ).split(' '),
)

export function findNames(text: string): PersonalMatch[] {
  const found: PersonalMatch[] = []
  for (const match of text.matchAll(NAMED)) {
    let name = match[2]!
    if (THINGS.test(name)) continue
    for (
      let cut = name.search(/ \S+$/);
      cut > 0 && STARTERS.has(name.slice(cut + 1));
      cut = name.search(/ \S+$/)
    )
      name = name.slice(0, cut)
    const second = name.split(' ').findIndex((word) => STARTERS.has(word))
    if (second === 0) continue
    if (second > 0) name = name.split(' ').slice(0, second).join(' ')
    // A single initial at the end is as often the end of a sentence.
    const start = match.index + match[1]!.length
    if (/^\p{Lu}\.$/u.test(name)) continue
    found.push({ type: 'name', start, end: start + name.length })
  }
  return found
}
