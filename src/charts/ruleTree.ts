// The scene of a small decision tree: questions from left to right, where the answer is yes above where it is no. A node is
// as far down as the middle of what follows it, so lines never cross.

export interface TreeNode {
  /** Places of the nodes that follow; -1 in a leaf. */
  yes: number
  no: number
  /** What is asked, or what is answered. */
  title: string
  /** A second line. */
  note: string
  /** Share of the node's rows that carry its label: the bar of a leaf. */
  share: number
}

export interface TreeBox {
  /** Place of the node. */
  index: number
  x: number
  y: number
  width: number
  height: number
  title: string
  note: string
  /** Width of the bar; null where a question is asked. */
  bar: number | null
}

export interface TreeScene {
  width: number
  height: number
  boxes: TreeBox[]
  links: { path: string; answer: 'yes' | 'no'; x: number; y: number }[]
}

const BOX_HEIGHT = 44
const ROW = 56
const GAP = 56
const PADDING = 10
/** Room for the line around a marked box. */
const EDGE = 2
/** Narrower, hardly a question can be read; wider, the eye loses the line. */
const LEAST_BOX = 132
const MOST_BOX = 240
/** Width of a character of the 13 pixel text, about. */
const CHARACTER = 6.9

/** The tree in `width` pixels, or wider where it does not fit. */
export function treeScene(nodes: readonly TreeNode[], width: number): TreeScene {
  const depths = new Map<number, number>()
  const middles = new Map<number, number>()
  let leaves = 0
  const place = (at: number, depth: number): number => {
    const { yes, no } = nodes[at]!
    depths.set(at, depth)
    const middle = yes < 0 ? (leaves++ + 0.5) * ROW : (place(yes, depth + 1) + place(no, depth + 1)) / 2
    middles.set(at, middle)
    return middle
  }
  place(0, 0)
  const columns = Math.max(...depths.values()) + 1
  const box = Math.min(MOST_BOX, Math.max(LEAST_BOX, (width - 2 * EDGE - (columns - 1) * GAP) / columns))
  const left = (at: number) => EDGE + depths.get(at)! * (box + GAP)
  const room = Math.floor((box - 2 * PADDING) / CHARACTER)
  const links: TreeScene['links'] = []
  const boxes: TreeBox[] = []
  nodes.forEach(({ yes, no, title, note, share }, index) => {
    const [x, y] = [left(index), middles.get(index)!]
    for (const [to, answer] of [
      [yes, 'yes'],
      [no, 'no'],
    ] as const) {
      if (to < 0) continue
      const [from, end, down] = [x + box, left(to), middles.get(to)!]
      const bend = (from + end) / 2
      links.push({
        path: `M${from},${y}C${bend},${y} ${bend},${down} ${end},${down}`,
        answer,
        x: end - 6,
        y: answer === 'yes' ? down - 5 : down + 15,
      })
    }
    boxes.push({
      index,
      x,
      y: y - BOX_HEIGHT / 2,
      width: box,
      height: BOX_HEIGHT,
      title: cut(title, room),
      note: cut(note, room),
      bar: yes < 0 ? share * box : null,
    })
  })
  return { width: 2 * EDGE + columns * box + (columns - 1) * GAP, height: leaves * ROW, boxes, links }
}

function cut(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1)}…`
}
