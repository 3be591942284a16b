// What stands behind the ? of an address, as an object of texts.
export const queryOf = (search: string): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(search))

export const searchOf = (query: Readonly<Record<string, string>>): string =>
  new URLSearchParams(query).toString()
