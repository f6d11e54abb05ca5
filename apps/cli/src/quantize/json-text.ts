/** @file JSON objects as text, of which all stays to the letter but what is taken out. */

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/gs

/**
 * The text of a JSON object without the members of a name, however often it stands there; members of
 * objects in it stay. A byte order mark goes, too.
 *
 * @param text - an object, checked before
 */
export function withoutMember(text: string, name: string): string {
  const members: { readonly key: string | undefined; readonly text: string }[] = []
  let depth = 0
  let start = 0
  let key: string | undefined
  const close = (end: number): void => {
    members.push({ key, text: text.slice(start, end) })
    start = end + 1
    key = undefined
  }
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    const isEnd = token === '}' || token === ']'
    if (token === '{' || token === '[') {
      if (depth++ === 0) start = index + 1
    } else if (depth === 1 && (isEnd || token === ',')) close(index)
    else if (depth === 1) key ??= JSON.parse(token) as string
    if (isEnd) depth--
  }
  const kept = members.filter((member) => member.key !== name)
  if (kept.length === members.length) return text.replace(/^\uFEFF/, '')
  const last = members.at(-1)?.text ?? ''
  const end = kept.at(-1)?.text === last ? '' : (/\s*$/.exec(last)?.[0] ?? '')
  return `{${kept.map((member) => member.text).join(',')}${end}}\n`
}
