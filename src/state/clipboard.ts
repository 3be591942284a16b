// What the browser tells of its clipboard when a button asks. It may be refused by the person, by the browser's settings, or
// not be there at all; the keys, which need no permission, always work.
import type { Copied } from '../protocol/bringIn.ts'
import { GraftError } from '../protocol/errors.ts'

const KEYS = 'Press Ctrl V, or Cmd V on a Mac, on this page.'

/** Throws E_ARGUMENT where the browser does not tell. */
export async function readClipboard(
  clipboard: Pick<Clipboard, 'read'> | null = (navigator.clipboard as Clipboard | undefined) ?? null,
): Promise<Copied> {
  if (typeof clipboard?.read !== 'function')
    throw new GraftError('E_ARGUMENT', `This browser does not let a button read the clipboard. ${KEYS}`)
  let items: ClipboardItems
  try {
    items = await clipboard.read()
  } catch (cause) {
    throw new GraftError(
      'E_ARGUMENT',
      `The browser did not let Graft read the clipboard. Allow it in the browser's settings for this site, or use the keys: ${KEYS.charAt(0).toLowerCase()}${KEYS.slice(1)}`,
      {},
      { cause },
    )
  }
  const of = async (type: string): Promise<string | undefined> =>
    (await items.find((item) => item.types.includes(type))?.getType(type))?.text()
  const [html, text] = await Promise.all([of('text/html'), of('text/plain')])
  return { ...(html !== undefined && { html }), ...(text !== undefined && { text }) }
}
