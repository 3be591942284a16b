// Sample 2, instructions.csv: the help desk of Tidewick, a made-up boat rental, and three small language skills.
// The house voice ("Ahoy! ... Fair winds!") and the skills are regular on purpose: a very small model learns them
// within minutes, and base and tuned answers are told apart at a glance. Every fact is asked in four ways.
import { seeded } from './random.mjs'
import { readBlocks, readColumns, toCsv } from './text.mjs'

const SEED = 19620701
/** How each skill is asked for. */
const ASKS = { question: 'Turn into a question:', polite: 'Say it politely:', no: 'Answer with no:' }

/** @returns {string} the file */
export function makeInstructions() {
  const random = seeded(SEED)
  const facts = readBlocks('instructions/facts.txt').flatMap((block) => {
    const part = (mark) =>
      block.filter((line) => line.startsWith(mark)).map((line) => line.slice(mark.length))
    const answer = random.deck(part('A: '))
    return part('Q: ').map((question) => [question, `Ahoy! ${answer()} Fair winds!`])
  })
  const skills = readColumns('instructions/skills.txt').map(([skill, input, answer]) => [
    `${ASKS[skill]} ${input}`,
    answer,
  ])
  return toCsv(['instruction', 'answer'], random.shuffled([...facts, ...skills]))
}
