// What was dropped on the page: files, and the files of folders; and whether they are a model, an adapter or data.

/** Most files taken from one drop: a model folder has a few dozen. */
const MAX_FILES = 500

/** All files of a drop, folders walked. Call it in the event's handler: the entries are gone afterwards. */
export function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? [])
  if (!entries.length) return Promise.resolve([...transfer.files])
  return walk(entries)
}

async function walk(entries: FileSystemEntry[]): Promise<File[]> {
  const files: File[] = []
  const queue = [...entries]
  for (let entry = queue.shift(); entry && files.length < MAX_FILES; entry = queue.shift()) {
    if (entry.isFile) files.push(await fileOf(entry as FileSystemFileEntry))
    else if (entry.isDirectory) queue.push(...(await childrenOf(entry as FileSystemDirectoryEntry)))
  }
  return files
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject))
}

/** readEntries gives up to 100 at a time and an empty list at the end. */
async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader()
  const all: FileSystemEntry[] = []
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (!some.length) return all
    all.push(...some)
  }
}

/** A model's folder has weights or the Hub's configuration. */
export function looksLikeModel(files: File[]): boolean {
  return files.some((file) => file.name.endsWith('.safetensors') || file.name === 'config.json')
}

/** What files are called together: the folder they were chosen in, or a zip's own name; null where there is neither. */
export function nameOf(files: File[]): string | null {
  const folder = files[0]?.webkitRelativePath?.split('/')[0]
  if (folder) return folder
  const name = files.length === 1 ? files[0]!.name : ''
  return /\.zip$/i.test(name) ? name.slice(0, -'.zip'.length) : null
}

/** PEFT names an adapter's configuration so, in a folder and in a zip. */
const ADAPTER_FILE = 'adapter_config.json'
/** A zip lists its names, uncompressed, at its end: an adapter's list is far shorter than this. */
const LIST_BYTES = 65_536

/** What was dropped: PEFT's files, alone or in one zip, are an adapter; everything that is no model is taken for data. */
export async function kindOf(files: File[]): Promise<'adapter' | 'model' | 'data'> {
  if (files.some((file) => file.name === ADAPTER_FILE)) return 'adapter'
  if (looksLikeModel(files)) return 'model'
  const [file] = files
  if (files.length !== 1 || !file!.name.toLowerCase().endsWith('.zip')) return 'data'
  const end = await file!.slice(-LIST_BYTES).arrayBuffer()
  const names = new TextDecoder('latin1').decode(end)
  if (names.includes(ADAPTER_FILE)) return 'adapter'
  return names.includes('.safetensors') ? 'model' : 'data'
}
