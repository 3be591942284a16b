// Hands a file to the person: a link to a blob, clicked and let go.

export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The click has only started the download: the address must outlive it.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** A name that every file system takes: letters, digits, dot, dash. */
export function fileName(text: string, extension: string): string {
  const stem = text
    .trim()
    .replace(/[^\p{L}\p{N}.-]+/gu, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 80)
  return `${stem || 'graft'}.${extension}`
}
