// A model card as plain text: Markdown is never turned into HTML here, its marks are only made quieter.
import type { ModelInfo } from '../../protocol/model.ts'

/** The licence named in the card's front matter, or null. */
export function licenceOf(card: string): string | null {
  return /^license:\s*["']?([^"'\n]+)["']?\s*$/m.exec(frontMatter(card))?.[1]?.trim() ?? null
}

/** The card without its front matter, headings and emphasis as plain words. */
export function cardText(card: string): string {
  return card
    .slice(frontMatter(card).length)
    .replace(/^#{1,6}\s+/gm, '')
    .replace(/\*\*(.+?)\*\*/g, '$1')
    .replace(/`([^`\n]+)`/g, '$1')
    .replace(/^[ \t]*[-*]\s+/gm, '• ')
    .trim()
}

function frontMatter(card: string): string {
  return /^---\n[\s\S]*?\n---\n?/.exec(card)?.[0] ?? ''
}

/** What a base can be trained for, in one sentence. */
export function taskWords({ kind, hasChatTemplate }: Pick<ModelInfo, 'kind' | 'hasChatTemplate'>): string {
  if (kind === 'encoder')
    return 'Reads whole texts at once: it can learn to give labels and be explained, but does not write.'
  return hasChatTemplate
    ? 'Writes from left to right: it can learn labels, answers, conversations and texts.'
    : 'Writes from left to right: it can learn labels and texts. It has no chat template of its own.'
}
