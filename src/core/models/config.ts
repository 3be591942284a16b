// Reading a config.json that we did not write: every field checked, every refusal by name.
import { GraftError } from '../../protocol/errors.ts'

/** A value from a file as it may stand in a message: short, whatever the file holds. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'an object'
  const text = JSON.stringify(value) ?? 'missing'
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

export class ConfigReader {
  readonly #family: string
  readonly #config: Record<string, unknown>

  constructor(family: string, config: Record<string, unknown>) {
    this.#family = family
    this.#config = config
  }

  /** A finite number above zero. */
  positive(name: string, fallback: number): number {
    const value = this.#config[name] ?? fallback
    if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
      this.#wrong(name, 'a number above 0', value)
    return value as number
  }

  /** A whole number from 1 to `max`: what is above no real model has, and would only fill the memory. */
  size(name: string, fallback: number | undefined, max: number): number {
    const value = this.#config[name] ?? fallback
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > max)
      this.#wrong(name, `a whole number from 1 to ${max}`, value)
    return value as number
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.#config[name] ?? fallback
    if (typeof value !== 'boolean') this.#wrong(name, 'true or false', value)
    return value as boolean
  }

  object(name: string): Record<string, unknown> | null {
    const value = this.#config[name] ?? null
    if (value !== null && (typeof value !== 'object' || Array.isArray(value)))
      this.#wrong(name, 'an object', value)
    return value as Record<string, unknown> | null
  }

  /** One token id, a list of them, or none. */
  ids(name: string): number[] {
    const value = this.#config[name] ?? []
    const list = Array.isArray(value) ? value : [value]
    if (!list.every((id) => Number.isInteger(id) && id >= 0)) this.#wrong(name, 'token ids', value)
    return list as number[]
  }

  /** A number of any sign, or null. */
  number(name: string): number | null {
    const value = this.#config[name] ?? null
    if (value !== null && (typeof value !== 'number' || !Number.isFinite(value)))
      this.#wrong(name, 'a number', value)
    return value as number | null
  }

  /** One of the known values of a field, as what it means to us; refuses others by name. */
  choice<T>(name: string, fallback: string, known: Record<string, T>): T {
    const value = this.#config[name] ?? fallback
    if (typeof value !== 'string' || !Object.hasOwn(known, value)) this.refuse(name, value)
    return known[value as string]!
  }

  /** A list of known words, `length` of them, or null where the field is absent. */
  words(name: string, length: number, known: readonly string[]): string[] | null {
    const value = this.#config[name] ?? null
    if (value === null) return null
    if (!Array.isArray(value) || value.length !== length)
      this.#wrong(name, `a list of ${length} words`, value)
    const strange = (value as unknown[]).find((word) => !known.includes(word as string))
    if (strange !== undefined) this.refuse(name, strange)
    return value as string[]
  }

  /** A nested object's fields, refused and checked under its name. */
  within(name: string): ConfigReader | null {
    const value = this.object(name)
    return value && new ConfigReader(this.#family, value)
  }

  /** Whether a field is there and says null, which some fields mean otherwise than their absence. */
  isNull(name: string): boolean {
    return this.#config[name] === null
  }

  has(name: string): boolean {
    return (this.#config[name] ?? null) !== null
  }

  /** Refuses a field whose value changes the maths. */
  refuseUnless(name: string, fallback: unknown, supported: unknown): void {
    const value = this.#config[name] ?? fallback
    if (value !== supported) this.refuse(name, value)
  }

  refuse(name: string, value: unknown): never {
    throw new GraftError(
      'E_MODEL_UNSUPPORTED',
      `This ${this.#family} model sets ${name} to ${shown(value)}, which Graft does not support yet. Choose another base.`,
      { field: name, value: shown(value) },
    )
  }

  #wrong(name: string, wanted: string, value: unknown): never {
    throw new GraftError('E_MODEL_FILES', `config.json: ${name} must be ${wanted}, but is ${shown(value)}.`, {
      field: name,
    })
  }
}
