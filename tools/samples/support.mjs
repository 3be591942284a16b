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
const SEED = 15
const MIN_WORDS = 4
const MAX_WORDS = 60

/** A sentence that follows "Hello," on the same line starts in lower case, unless with "I", a name or capitals. */
const afterComma = (text) =>
  /^(I\b|English|Fort Knox|[A-Z]{2})/.test(text) ? text : text.charAt(0).toLowerCase() + text.slice(1)

/** How often a message has each optional part. */
const CHANCES = {
  context: 0.1,
  aside: 0.07,
  request: 0.97,
  secondRequest: 0.3,
  lonelyHeading: 0.4,
  closing: 0.24,
  greeting: 0.34,
}

/** Swaps or drops one letter inside a long word, never its first or last one. */
function withTypo(text, random) {
  const words = [...text.matchAll(/(?<![@.\w])[a-z]{6,}(?![@\w]|\.\w)/g)] // no part of a mail address
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
  const requests = readColumns('support/requests.pool')
  const request = new Map(
    INTENTS.map((intent) => [intent, random.deck(requests.filter(([of]) => of === intent))]),
  )
  const subject = new Map(
    INTENTS.map((intent) => [
      intent,
      random.deck(requests.filter(([of, place]) => of === intent && place === 'heading')),
    ]),
  )
  const aside = new Map(
    INTENTS.map((intent) => [
      intent,
      random.deck(asides.filter(([topic]) => topic !== intent).map(([, text]) => text)),
    ]),
  )

  const message = (line, intent) => {
    const fill = newFiller()
    const alone = line.startsWith('= ') // says its request so plainly that another sentence about it would jar
    const core = fill(alone ? line.slice(2) : line)
    const hurried = /^[a-z]/.test(core) // no greeting, no capital letters
    const greets = /^(Hi|Hello|Good morning)\b/.test(core)
    let heading = ''
    const before = []
    const after = []

    if (!hurried && !greets && random.chance(CHANCES.context)) before.push(fill(context()))
    if (random.chance(CHANCES.aside))
      (greets || random.chance(0.5) ? after : before).push(fill(aside.get(intent)()))
    if (alone) {
      if (random.chance(CHANCES.lonelyHeading)) heading = fill(subject.get(intent)()[2])
    } else if (random.chance(hurried ? 0.6 : CHANCES.request)) {
      const [, place, text] = request.get(intent)()
      if (place === 'heading' && !greets) heading = fill(text)
      else if (place === 'either' && !greets && random.chance(0.6)) before.push(fill(text))
      else if (place !== 'heading') after.push(fill(text))
    }
    if (!alone && !hurried && random.chance(CHANCES.secondRequest)) {
      const [, place, text] = request.get(intent)()
      if (place !== 'heading') after.push(fill(text))
    }
    if (random.chance(hurried ? 0.1 : CHANCES.closing)) after.push(fill(closing()))

    const words = () => wordCount([heading, ...before, core, ...after].join(' '))
    while (words() > MAX_WORDS - 4) (after.length > 0 ? after : before).pop()
    while (words() < MIN_WORDS) after.push(fill(closing()))

    const gap = hurried || core.includes('\n') || !/[.?!)]$/.test(core) || random.chance(0.07) ? '\n' : ' '
    let sentences = [...before, core, ...after]
    if (!hurried && !greets && random.chance(CHANCES.greeting)) {
      const [opener, ...rest] = sentences
      sentences = gap === '\n' ? [greeting(), ...sentences] : [`${greeting()} ${afterComma(opener)}`, ...rest]
    }
    let text = sentences.join(gap)
    if (heading) text = `${heading}\n${text}`
    if (random.chance(0.09)) text = withTypo(text, random)
    if (hurried || random.chance(0.04)) text = text.toLowerCase().replace(/\.$/, '')
    return text
  }

  const rows = INTENTS.flatMap((intent) =>
    readLines(`support/${intent}.txt`).map((core) => [message(core, intent), intent]),
  )
  return toCsv(['text', 'intent'], random.shuffled(rows))
}
