// Which language a text is in, for telling it from the rest: by script where that decides, else by function words and
// letters that a language has to itself. Small tables of our own; it says "unknown" rather than guess.
import { words } from './words.ts'

/** Scripts that (nearly) only one language of the tables writes, as a share of the letters. */
const SCRIPTS: [language: string, pattern: RegExp][] = [
  ['Japanese', /[\p{sc=Hiragana}\p{sc=Katakana}]/gu],
  ['Korean', /\p{sc=Hangul}/gu],
  ['Chinese', /\p{sc=Han}/gu],
  ['Greek', /\p{sc=Greek}/gu],
  ['Hebrew', /\p{sc=Hebrew}/gu],
  ['Arabic', /\p{sc=Arabic}/gu],
  ['Hindi', /\p{sc=Devanagari}/gu],
  ['Bengali', /\p{sc=Bengali}/gu],
  ['Tamil', /\p{sc=Tamil}/gu],
  ['Thai', /\p{sc=Thai}/gu],
  ['Georgian', /\p{sc=Georgian}/gu],
  ['Armenian', /\p{sc=Armenian}/gu],
  ['Cyrillic', /\p{sc=Cyrillic}/gu],
]

/** The commonest function words; a word may stand in several lists. */
const FUNCTION_WORDS: Record<string, string> = {
  English:
    'the a an of and to in is are was were be been it its this that these those for with on at by from as or not have has had do does did will would can could should my your his her our their i you he she we they me him them what which who when where why how there if but so than just about into over please',
  German:
    'der die das den dem des ein eine einen einem einer eines und oder aber nicht kein keine ist sind war waren wird werden wurde habe hat haben ich du er sie es wir ihr mich mir dich sich mein meine meiner meinen ihre ihr von mit zu zum zur auf für im in an am bei nach aus über wenn wie was wer wo warum dass auch noch nur schon sehr kann können bitte',
  French:
    "le la les un une des du de et ou mais ne pas est sont était être avoir ai as a ont je tu il elle nous vous ils elles me te se mon ma mes votre vos son sa ses leur ce cet cette ces que qui quoi dont où quand comment pourquoi pour par avec sans sur dans en au aux plus très si c'est j'ai",
  Spanish:
    'el la los las un una unos unas y o pero no es son era ser estar está están he ha han yo tú él ella nosotros ustedes ellos me te se lo mi mis su sus este esta estos que quien qué cómo cuándo dónde por para con sin sobre en de del al más muy si hay puedo cuenta',
  Portuguese:
    'o a os as um uma uns umas e ou mas não é são era ser estar está estão eu tu ele ela nós vocês eles me te se meu minha meus seu sua este esta isso que quem como quando onde por para com sem sobre em de do da dos das no na nos nas ao mais muito se há tem você já foi',
  Italian:
    'il lo la i gli le un una uno e o ma non è sono era essere ho ha hanno io tu lui lei noi voi loro mi ti si mio mia miei suo sua questo questa che chi cosa come quando dove perché per con senza su in di del della dei delle al alla da dal nel nella più molto se anche già',
  Dutch:
    'de het een en of maar niet geen is zijn was waren wordt worden heb heeft hebben ik jij je hij zij ze wij we jullie mijn jouw zijn haar onze van met voor op in aan bij naar uit over als wat wie waar waarom hoe dat dit deze die ook nog wel al kan kunnen er te om',
  Swedish:
    'en ett den det de och eller men inte är var vara har hade jag du han hon vi ni dem mig dig sig min mitt din sin som för med på av till från i om när hur vad vem var varför att också kan ska skulle mycket bara detta denna',
  Danish:
    'en et den det de og eller men ikke er var være har havde jeg du han hun vi i dem mig dig sig min mit din sin som for med på af til fra om når hvordan hvad hvem hvor hvorfor at også kan skal skulle meget kun dette denne blev',
  Polish:
    'i w z na do nie się to jest są był była być mam ma mają ja ty on ona my wy oni mnie mi ci go jej mój moja moje swój ten ta te który która które że co kto jak kiedy gdzie dlaczego dla przez od po za przy o u czy ale lub tylko już bardzo może',
  Czech:
    've v z na do ne se si to je jsou byl byla být mám má mají já ty on ona my vy oni mně mi mu jeho její můj moje ten ta který která které že co kdo jak kdy kde proč pro přes od po za při o u ale nebo jen už velmi může jsem',
  Turkish:
    'bir ve bu şu o da de için ile ama veya değil var yok mı mi mu ben sen biz siz onlar benim senin onun bizim ne kim nasıl neden nerede zaman çok daha en gibi kadar sonra önce olarak olan oldu lütfen her',
  Indonesian:
    'yang dan di ke dari untuk dengan pada adalah ini itu tidak bukan ada saya aku kamu anda dia kami kita mereka apa siapa bagaimana kapan mana mengapa bisa dapat akan sudah belum sangat juga karena atau tetapi lebih oleh',
  Vietnamese:
    'và của là có không được cho với này đó tôi bạn anh chị chúng họ một những các trong trên từ đến khi như thế nào gì ai đâu sao vì nhưng hoặc rất cũng đã sẽ đang phải làm',
  Romanian:
    'și în de la cu pe nu este sunt era fi am are au eu tu el ea noi voi ei mă te se meu mea mele său sa acest această care ce cine cum când unde pentru prin fără despre din mai foarte dacă dar sau un o',
  Finnish:
    'ja on ei se että en oli olla ovat hän minä sinä me te he minun sinun tämä tuo mikä kuka miten milloin missä miksi kun jos mutta tai myös vain jo niin kuin mitä voi voin ole',
  Hungarian:
    'a az és nem is egy van volt lesz hogy ez azt ezt én te ő mi ti ők meg már csak még ha de vagy mert mit ki hogyan mikor hol miért nagyon lehet kell',
}

/** Letters that tell languages of one script apart. */
const LETTERS: [language: string, pattern: RegExp][] = [
  ['German', /[äöüß]/g],
  ['French', /[éèêëàâçùûîïôœ]/g],
  ['Spanish', /[ñáíóúé¿¡]/g],
  ['Portuguese', /[ãõâêçáéíóú]/g],
  ['Italian', /[àèéìòù]/g],
  ['Swedish', /[åäö]/g],
  ['Danish', /[æøå]/g],
  ['Polish', /[ąćęłńóśźż]/g],
  ['Czech', /[áčďéěíňóřšťúůýž]/g],
  ['Turkish', /[çğıöşü]/g],
  ['Vietnamese', /[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]/g],
  ['Romanian', /[ăâîșțşţ]/g],
  ['Finnish', /[äö]/g],
  ['Hungarian', /[áéíóöőúüű]/g],
]

export const UNKNOWN = 0
const NAMES = ['unknown', ...Object.keys(FUNCTION_WORDS), ...SCRIPTS.map(([name]) => name)].map((name) =>
  name === 'Cyrillic' ? 'a language in Cyrillic' : name,
)
const CYRILLIC = NAMES.indexOf('a language in Cyrillic')
const CYRILLIC_LANGUAGES: [language: string, only: RegExp][] = [
  ['Ukrainian', /[іїєґ]/],
  ['Serbian', /[ђјљњћџ]/],
  ['Russian', /[ыэё]/],
  ['Bulgarian', /ъ/],
]
NAMES.push(...CYRILLIC_LANGUAGES.map(([name]) => name))

/** For each word the languages that have it, weighted: a word of one language says more than one of six. */
const WEIGHTS = new Map<string, { language: number; weight: number }[]>()
for (const [name, list] of Object.entries(FUNCTION_WORDS))
  for (const word of new Set(list.split(' '))) {
    const known = WEIGHTS.get(word)
    if (known) known.push({ language: NAMES.indexOf(name), weight: 1 })
    else WEIGHTS.set(word, [{ language: NAMES.indexOf(name), weight: 1 }])
  }
for (const entries of WEIGHTS.values()) for (const entry of entries) entry.weight = 1 / entries.length

/** Letters of a text that are looked at. */
const LOOKED_AT = 2000
/** Least words from which Latin script is judged, least weight of evidence, and lead over the next language. */
const WORDS_LEAST = 4
const EVIDENCE_LEAST = 1.6
const LEAD = 1.5
/** Evidence that a letter of its own gives. */
const LETTER_WEIGHT = 0.35

export function languageName(language: number): string {
  return NAMES[language]!
}

export const LANGUAGE_COUNT = NAMES.length

/** The language of a text, a number for `languageName`; UNKNOWN where the evidence is thin. */
export function languageOf(text: string, given?: readonly string[]): number {
  const some = text.length > LOOKED_AT ? text.slice(0, LOOKED_AT) : text
  const plain = /^[\0-\u007f]*$/.test(some)
  if (!plain) {
    const byScript = scriptLanguage(some)
    if (byScript !== UNKNOWN) return byScript
  }
  const all = (given ?? words(some)).slice(0, 400)
  if (all.length < WORDS_LEAST) return UNKNOWN
  const scores = new Float64Array(NAMES.length)
  for (const word of all) {
    const known = WEIGHTS.get(word)
    if (known) for (const { language, weight } of known) scores[language]! += weight
  }
  const lower = plain ? '' : some.toLowerCase()
  // No letter that a language has to itself is a plain one.
  for (const [name, pattern] of plain ? [] : LETTERS) {
    const language = NAMES.indexOf(name)
    if (scores[language]! > 0) scores[language]! += LETTER_WEIGHT * (lower.match(pattern)?.length ?? 0)
  }
  let best = UNKNOWN
  let second = UNKNOWN
  for (let i = 1; i < scores.length; i++)
    if (best === UNKNOWN || scores[i]! > scores[best]!) {
      second = best
      best = i
    } else if (second === UNKNOWN || scores[i]! > scores[second]!) second = i
  const enough = scores[best]! >= Math.max(EVIDENCE_LEAST, 0.08 * all.length)
  return enough && scores[best]! >= LEAD * scores[second]! ? best : UNKNOWN
}

function scriptLanguage(text: string): number {
  const letters = text.match(/\p{L}/gu)?.length ?? 0
  if (letters < 3) return UNKNOWN
  for (const [name, pattern] of SCRIPTS) {
    const share = (text.match(pattern)?.length ?? 0) / letters
    // Japanese is written with Chinese characters too: a fifth of kana decides.
    if (share < (name === 'Japanese' ? 0.2 : 0.6)) continue
    if (name !== 'Cyrillic') return NAMES.indexOf(name)
    const lower = text.toLowerCase()
    const exact = CYRILLIC_LANGUAGES.find(([, only]) => only.test(lower))
    return exact ? NAMES.indexOf(exact[0]) : CYRILLIC
  }
  return UNKNOWN
}
