// The one language for conditions and computed values over rows: the table's filter, a recipe's filter, derived columns.
// It is compiled to closures by hand; nothing of it is ever evaluated as code. By example:
//   length(text) > 20 and label in ("card", "cash")      [my column] = 'x' or not isEmpty(notes)
//   lower(title) contains "refund"                        matches(text, '^\d{4}-')      price * 2 >= 10
// Columns by name, [in brackets] or "in double quotes"; texts in 'single' quotes, or in double ones where no column has
// that name. Comparisons are by number where both sides are numbers, otherwise by text; = and != compare texts exactly
// unless one side is a number.
import { GraftError } from '../protocol/errors.ts'
import { fault } from './expression/fault.ts'
import { asNumber, asText, asTruth, FUNCTIONS, matcher, type Value } from './expression/functions.ts'
import { parseExpression, type Node } from './expression/parse.ts'

export { asNumber, asText, asTruth, type Value } from './expression/functions.ts'

/** The value of a row; cells in the order of the columns. */
export type Evaluate = (cells: readonly string[]) => Value

/** Throws E_ARGUMENT; `details.at` is the place of the fault, in UTF-16 units from 0. */
export function compileExpression(source: string, columns: readonly string[]): Evaluate {
  if (typeof source !== 'string')
    throw new GraftError('E_ARGUMENT', 'An expression must be a text, such as length(text) > 10.')
  return compile(parseExpression(source, columns), source)
}

/** A condition: which rows it is true for. Throws as compileExpression does. */
export function compileCondition(
  source: string,
  columns: readonly string[],
): (cells: readonly string[]) => boolean {
  const evaluate = compileExpression(source, columns)
  return (cells) => asTruth(evaluate(cells))
}

/** A text with expressions in braces; `{{` and `}}` are braces of the text. Throws as compileExpression does. */
export function compileTemplate(
  template: string,
  columns: readonly string[],
): (cells: readonly string[]) => string {
  const parts: (string | Evaluate)[] = []
  let text = ''
  for (let at = 0; at < template.length; at++) {
    const char = template[at]!
    if ((char === '{' || char === '}') && template[at + 1] === char) {
      text += char
      at++
    } else if (char === '{') {
      const end = closing(template, at)
      parts.push(text, compileExpression(template.slice(at + 1, end), columns))
      text = ''
      at = end
    } else if (char === '}')
      throw fault(template, at, 'a closing brace has no opening one; write }} for a brace.')
    else text += char
  }
  parts.push(text)
  return (cells) => parts.map((part) => (typeof part === 'string' ? part : asText(part(cells)))).join('')
}

/** The brace that closes the one at `start`; those inside quotes do not count. */
function closing(template: string, start: number): number {
  let quote = ''
  for (let at = start + 1; at < template.length; at++) {
    const char = template[at]!
    if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '}') return at
    else if (char === "'" || char === '"') quote = char
    else if (char === '[') quote = ']'
  }
  throw fault(template, start, 'this brace is not closed; write {{ for a brace.')
}

function compile(node: Node, source: string): Evaluate {
  switch (node.kind) {
    case 'value':
      return () => node.value
    case 'column':
      return (cells) => cells[node.place] ?? ''
    case 'not': {
      const inner = compile(node.inner, source)
      return (cells) => !asTruth(inner(cells))
    }
    case 'negative': {
      const inner = compile(node.inner, source)
      return (cells) => -asNumber(inner(cells))
    }
    case 'in': {
      const left = compile(node.left, source)
      const list = node.list.map((item) => compile(item, source))
      return (cells) => {
        const value = left(cells)
        return list.some((item) => equal(value, item(cells)))
      }
    }
    case 'binary':
      return binary(node.operator, compile(node.left, source), compile(node.right, source))
    case 'call':
      return call(node, source)
    default:
      return node satisfies never
  }
}

function call(node: Extract<Node, { kind: 'call' }>, source: string): Evaluate {
  const args = node.args.map((arg) => compile(arg, source))
  if (node.name === 'matches') {
    const [, pattern] = node.args
    if (args.length !== 2) throw fault(source, node.at, 'matches takes a text and a pattern.')
    const matches = matcher(source, node.at, pattern?.kind === 'value' ? pattern.value : undefined)
    return (cells) => matches(asText(args[0]!(cells)))
  }
  const found = FUNCTIONS.get(node.name)
  if (!found)
    throw fault(
      source,
      node.at,
      `there is no function "${node.name}". There are ${[...FUNCTIONS.keys(), 'matches'].join(', ')}.`,
    )
  const { least, most, apply } = found
  if (args.length < least || args.length > most)
    throw fault(
      source,
      node.at,
      `${node.name} takes ${least === most ? least : `${least} to ${most}`} values, not ${args.length}.`,
    )
  return (cells) => apply(args.map((arg) => arg(cells)))
}

function binary(operator: string, left: Evaluate, right: Evaluate): Evaluate {
  const arithmetic = (apply: (a: number, b: number) => number): Evaluate => {
    return (cells) => apply(asNumber(left(cells)), asNumber(right(cells)))
  }
  const ordered = (holds: (order: number) => boolean): Evaluate => {
    return (cells) => holds(order(left(cells), right(cells)))
  }
  switch (operator) {
    case 'or':
      return (cells) => asTruth(left(cells)) || asTruth(right(cells))
    case 'and':
      return (cells) => asTruth(left(cells)) && asTruth(right(cells))
    case '=':
      return (cells) => equal(left(cells), right(cells))
    case '!=':
      return (cells) => !equal(left(cells), right(cells))
    case '<':
      return ordered((order) => order < 0)
    case '<=':
      return ordered((order) => order <= 0)
    case '>':
      return ordered((order) => order > 0)
    case '>=':
      return ordered((order) => order >= 0)
    case '+':
      return (cells) => {
        const a = left(cells)
        const b = right(cells)
        const sum = asNumber(a) + asNumber(b)
        return Number.isNaN(sum) ? asText(a) + asText(b) : sum
      }
    case '-':
      return arithmetic((a, b) => a - b)
    case '*':
      return arithmetic((a, b) => a * b)
    case '/':
      return arithmetic((a, b) => a / b)
    case '%':
      return arithmetic((a, b) => a % b)
    default:
      throw new GraftError('E_INTERNAL', `The operator ${operator} has no meaning.`)
  }
}

function equal(a: Value, b: Value): boolean {
  if (typeof a === 'string' && typeof b === 'string') return a === b
  if (typeof a === 'boolean' || typeof b === 'boolean') return asTruth(a) === asTruth(b)
  return asNumber(a) === asNumber(b)
}

/** Below, equal, above as -1, 0, 1; NaN where a number meets a text that is none. */
function order(a: Value, b: Value): number {
  const x = asNumber(a)
  const y = asNumber(b)
  if (!Number.isNaN(x) && !Number.isNaN(y)) return Math.sign(x - y)
  if (typeof a !== 'string' || typeof b !== 'string') return NaN
  return a < b ? -1 : a > b ? 1 : 0
}
