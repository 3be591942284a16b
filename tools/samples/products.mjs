// Sample 3, products.csv: facts about made-up goods and a description that uses each of them. Ten products of each
// type; what a thing is good for comes from phrases written for its type, the rest from sentence patterns.
import { seeded } from './random.mjs'
import { capitalised, readColumns, readGroups, readLines, toCsv } from './text.mjs'

const SEED = 7070707
const PER_TYPE = 10
/** Share of products with a fifth fact, such as the height or what it holds. */
const EXTRA_CHANCE = 0.6

const article = (words) => `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`
const fillIn = (pattern, values) => pattern.replace(/\{([\w ]+)\}/g, (_, slot) => values[slot])

/** @returns {string} the file */
export function makeProducts() {
  const random = seeded(SEED)
  const colour = random.deck(readLines('products/colours.pool'))
  const opening = random.deck(readLines('products/openings.pool'))
  const endings = readGroups('products/endings.pool')
  const ending = { with: random.deck(endings.get('with')), without: random.deck(endings.get('without')) }

  const rows = readColumns('products/types.txt').flatMap(
    ([type, materials, prices, key, values, verb, uses]) => {
      const brands = random.deck(readLines('products/names.pool'))
      const material = random.deck(materials.split(', '))
      const use = random.deck(uses.split('; '))
      const [low, high] = prices.split('-').map(Number)
      return Array.from({ length: PER_TYPE }, () => {
        const brand = brands()
        const name = `${brand} ${type}`
        const tone = colour()
        const stuff = material()
        const price = `${random.integer(low, high)} EUR`
        const value = random.pick(values.split(', '))
        const hasExtra = random.chance(EXTRA_CHANCE)
        const facts = [`name: ${name}`, `colour: ${tone}`, `material: ${stuff}`]
        if (hasExtra) facts.push(`${key}: ${value}`)
        facts.push(`price: ${price}`)
        const words = {
          name,
          brand,
          type,
          price,
          colour: tone,
          material: stuff,
          use: use(),
          extra: verb.replace('{}', value),
          'a type': article(type),
        }
        const pattern = opening()
        // At most two sentences: patterns that already have two take the price into their last one.
        const sentences = pattern.match(/[.?](\s|$)/g).length
        const first = fillIn(pattern, words)
        const last = fillIn(ending[hasExtra ? 'with' : 'without'](), words)
        const description =
          sentences === 1
            ? `${first} ${last}`
            : `${first.slice(0, -1)}; ${last.charAt(0).toLowerCase()}${last.slice(1)}`
        return [facts.join('; '), capitalised(description)]
      })
    },
  )
  return toCsv(['facts', 'description'], random.shuffled(rows))
}
