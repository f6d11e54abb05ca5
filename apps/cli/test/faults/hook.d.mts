/** Calls `onChange` before each change of the file system; what it throws, the change throws. */
export function watchChanges(onChange: (what: string) => void): Promise<() => void>
