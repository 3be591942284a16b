// Sample 1, support.csv: customer messages with an intent. Every message has its own hand-written core (used once);
// the generator wraps it as people do, with greetings, background, remarks about other matters, and typing slips.
// The remarks name a topic that is not the request, so the words alone do not give the intent away.
import { seeded } from './random.mjs'
import { readColumns, readGroups, readLines, toCsv, wordCount } from './text.mjs'

export const INTENTS = [
  'refund_request',
  'delivery_status',
  'account_access',
  'billing_question',
  'product_defect',
  'cancellation',
]
const SEED = 20240611
const MIN_WORDS = 4
const MAX_WORDS = 60

const LOWERED =
  /^(The|My|We|Our|You|Your|It|This|That|There|Is|Are|Am|Can|Could|Do|Does|Did|Will|Would|How|Why|What|Where|When|Which|Who|Please|A|An|Two|Since|After|Before|If|Not|Every|Each|Some|Someone|Somebody|Nobody|Nothing|No|To|In|On|At|For|From|By|Until|Was|Has|Have|May|Let|Just|Only|Even|One|Half|Their|Stop|Make)\b/

/** A sentence that follows "Hello," on the same line starts in lower case. */
const afterComma = (text) => text.replace(LOWERED, (word) => word.toLowerCase())

/** How often a message has each optional part. */
const CHANCES = { context: 0.11, aside: 0.1, request: 0.97, closing: 0.24, greeting: 0.34 }

/** Swaps or drops one letter inside a long word, never its first or last one. */
function withTypo(text, random) {
  const words = [...text.matchAll(/[a-z]{6,}/g)].filter((match) => !/[@.]\w/.test(text.slice(match.index - 2)[0]))
  if (words.length === 0) return text
  const { 0: word, index } = random.pick(words)
  const at = index + random.integer(1, word.length - 3)
  return random.chance(0.6)
    ? text.slice(0, at) + text[at + 1] + text[at] + text.slice(at + 2)
    : text.slice(0, at) + text.slice(at + 1)
}

/** Fills {slots}; a slot used twice in one message keeps its value, {day2} and {city2} differ from {day} and {city}. */
function makeFiller(random) {
  const groups = readGroups('support/slots.pool')
  const decks = new Map([...groups].map(([key, values]) => [key, random.deck(values)]))
  const draw = {
    n: () => String(random.integer(4, 9)),
    big: () => String(random.integer(11, 19)),
    order: () => String(random.integer(10234, 98765)),
    amount: () => `${random.integer(9, 189)}.${random.pick(['00', '50', '90', '95', '99'])}`,
    date: () => `${random.integer(1, 28)} ${decks.get('month')()}`,
  }
  return () => {
    const known = new Map()
    return (text) =>
      text.replace(/\{(\w+)\}/g, (_, slot) => {
        if (!known.has(slot)) {
          const key = slot.replace('2', '')
          let value = (draw[key] ?? decks.get(key))()
          while (key !== slot && value === known.get(key)) value = decks.get(key)()
          known.set(slot, value)
        }
        return known.get(slot)
      })
  }
}

/** @returns {string} the file */
export function makeSupport() {
  const random = seeded(SEED)
  const newFiller = makeFiller(random)
  const greeting = random.deck(readLines('support/greetings.pool'))
  const closing = random.deck(readLines('support/closings.pool'))
  const context = random.deck(readLines('support/contexts.pool'))
  const asides = readColumns('support/asides.pool')
  const requests = new Map([...readGroups('support/requests.pool')].map(([intent, lines]) => [intent, random.deck(lines)]))
  const asideFor = new Map(
    INTENTS.map((intent) => [intent, random.deck(asides.filter(([topic]) => topic !== intent).map(([, text]) => text))]),
  )

  const message = (line, intent) => {
    const alone = line.startsWith('= ')
    const core = alone ? line.slice(2) : line
    const fill = newFiller()
    const plain = /^[a-z]/.test(core) // a hurried writer: no greeting, no capital letters
    const parts = { before: [], core: [fill(core)], after: [] }
    if (!plain && random.chance(CHANCES.context)) parts.before.push(fill(context()))
    if (random.chance(CHANCES.aside)) parts[random.chance(0.5) ? 'before' : 'after'].push(fill(asideFor.get(intent)()))
    if (!alone && random.chance(CHANCES.request)) {
      const request = fill(requests.get(intent)())
      const isHeading = /^(Subject|Concerning)\b/.test(request)
      if (isHeading) parts.before = [request + '\n']
      else if (random.chance(0.4)) parts.before.push(request)
      else parts.after.push(request)
    }
    if (random.chance(plain ? 0.1 : CHANCES.closing)) parts.after.push(fill(closing()))
    const opens = !plain && !/^(Hi|Hello|Good morning|Dear)\b/.test(core) && random.chance(CHANCES.greeting)
    const words = () => wordCount([...parts.before, ...parts.core, ...parts.after].join(' '))
    while (words() > MAX_WORDS - 4) (parts.after.length > 0 ? parts.after : parts.before).pop()
    if (opens) parts.before.unshift(greeting())
    if (words() < MIN_WORDS) parts.after.push(fill(closing()))

    const gap = core.includes('\n') || random.chance(0.07) ? '\n' : ' '
    const all = [...parts.before, ...parts.core, ...parts.after]
    if (opens && gap === ' ') all[1] = afterComma(all[1])
    let text = all.join(gap)
    if (random.chance(0.09)) text = withTypo(text, random)
    if (random.chance(0.04)) text = text.toLowerCase().replace(/\.$/, '')
    return text
  }

  const rows = INTENTS.flatMap((intent) =>
    readLines(`support/${intent}.txt`).map((core) => [message(core, intent), intent]),
  )
  return toCsv(['text', 'intent'], random.shuffled(rows))
}
