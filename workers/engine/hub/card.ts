// The front matter of a model card (README.md): YAML between two lines of dashes, of which only the licence is read.
// https://huggingface.co/docs/hub/model-cards

/** The licence that a card names, or undefined; `other` is spelled out by license_name where there is one. */
export function licenceOf(card: string | undefined): string | undefined {
  const front = /^\s*---\r?\n([\s\S]{0,100000}?)\r?\n---/.exec(card ?? '')?.[1]
  if (front === undefined) return undefined
  const licence = field(front, 'license')
  return licence === 'other' ? (field(front, 'license_name') ?? licence) : licence
}

/** A plain or quoted value in one line. */
function field(yaml: string, name: string): string | undefined {
  const line = yaml.split(/\r?\n/).find((candidate) => candidate.startsWith(`${name}:`))
  const value = line
    ?.slice(name.length + 1)
    .trim()
    .replace(/^(['"])(.*)\1$/, '$2')
  return value === undefined || !/^[\w.+ -]{1,80}$/.test(value) ? undefined : value
}
