import { ValueError, takes } from '@ao/base-tensor'

/** @throws {@link ValueError} for anything but a list, such as a text that nobody has encoded */
export function checkIdList(ids: unknown): asserts ids is readonly number[] {
  if (Array.isArray(ids) || ArrayBuffer.isView(ids)) return
  throw new ValueError({
    package: '@ao/text-generation',
    expected: 'a list of token ids',
    got: typeof ids === 'string' ? 'a text' : ids === null ? 'null' : typeof ids,
    cure: 'Encode text first: tokenizer.encode(text).',
  })
}

/**
 * Checks token ids before a model embeds them.
 *
 * @throws {@link ValueError} for no ids, and for ids outside of the vocabulary
 */
export function checkIds(ids: readonly number[], vocabSize: number): void {
  checkIdList(ids)
  takes('ln', ids, vocabSize)
  const wrong = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize))
  if (ids.length > 0 && wrong === undefined) return
  throw new ValueError({
    package: '@ao/text-generation',
    expected: `token ids from 0 to ${vocabSize - 1}, one at least`,
    got: ids.length === 0 ? 'none' : String(wrong),
  })
}
