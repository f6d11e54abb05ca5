/** @file Text to token ids and back, by the tokenizer.json of a model. */

import { FormatError, ValueError, takes } from '@ao/base-tensor'
import type { CheckpointFolder } from '@ao/safetensors'
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { AddedTokenSplitter, type AddedToken, type Section } from './added-tokens.ts'
import { checkTokenizer } from './check-tokenizer.ts'
import { isObject } from './config-fields.ts'
import { readJson, readJsonIfThere } from './read-json.ts'
import { TextStream } from './text-stream.ts'

const PACKAGE = '@ao/text-generation'

/** Options of {@link Tokenizer.encode}. */
export interface EncodeOptions {
  /**
   * Whether to add what the model expects around a text, such as a leading `<s>`: true unless given. A text
   * that begins with `<s>` itself gets another one, as in transformers: pass false for such texts, as those
   * of chat templates are.
   */
  readonly addSpecialTokens?: boolean
}

/** Options of {@link Tokenizer.decode}. */
export interface DecodeOptions {
  /** Whether to leave out tokens such as `</s>`: true unless given. */
  readonly skipSpecialTokens?: boolean
}

/** Options of {@link loadTokenizer}. */
export interface LoadTokenizerOptions {
  /**
   * What to do about tokens whose ids are not below `vocab_size` in config.json, so that the embedding has no
   * rows for them: `'refuse'` unless given. With `'ignore'`, the model refuses prompts that have them.
   */
  readonly tokensWithoutEmbedding?: 'refuse' | 'ignore'
  /** Ends the loading: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The tokenizer of a model's folder: tokenizer.json, and tokenizer_config.json where there is one.
 *
 * @throws {@link FormatError} naming the file that is missing or wrong, or a token that is not in the model's
 * vocabulary, where there is a config.json
 */
export async function loadTokenizer(
  folder: CheckpointFolder,
  options: LoadTokenizerOptions = {},
): Promise<Tokenizer> {
  takes('.o{tokensWithoutEmbedding signal}?', folder, options)
  const json = await readJson(folder, 'tokenizer.json', options)
  const [own, model] = await Promise.all([
    readJsonIfThere(folder, 'tokenizer_config.json', options),
    readJsonIfThere(folder, 'config.json', options),
  ])
  const tokenizer = new Tokenizer(json, own)
  if (options.tokensWithoutEmbedding !== 'ignore') checkVocabulary(tokenizer, model, folder.name)
  return tokenizer
}

function checkVocabulary(tokenizer: Tokenizer, model: object | undefined, folder: string): void {
  const { vocab_size: own, text_config: text } = (model ?? {}) as Record<string, unknown>
  const rows = own ?? (isObject(text) ? text['vocab_size'] : undefined)
  if (typeof rows !== 'number' || tokenizer.size <= rows) return
  const id = tokenizer.size - 1
  throw new FormatError({
    package: PACKAGE,
    expected: `tokens of tokenizer.json in ${folder} with ids below ${rows}, vocab_size in config.json`,
    got: `${JSON.stringify(tokenizer.idToToken(id))} with ${id}`,
    cure:
      "The model's embedding has no row for it: resize the embedding, or remove the token. " +
      "`tokensWithoutEmbedding: 'ignore'` loads the tokenizer as it is.",
  })
}

/** A Hugging Face tokenizer. */
export class Tokenizer {
  readonly #tokenizer: HuggingFaceTokenizer
  readonly #cleanUp: boolean
  /** Of added tokens that are looked for in the text as it is, and in normalized text. */
  readonly #splitters: readonly [plain: AddedTokenSplitter, normalized: AddedTokenSplitter]

  /**
   * @param json - the content of tokenizer.json
   * @param config - the content of tokenizer_config.json
   * @throws {@link FormatError} for a tokenizer that cannot be built, and for one whose expressions may take for ever
   */
  constructor(json: object, config: object = {}) {
    takes('oo', json, config)
    checkTokenizer(json)
    this.#cleanUp = (config as Record<string, unknown>)['clean_up_tokenization_spaces'] === true
    const { added_tokens: given } = json as { added_tokens?: AddedToken[] | null }
    const added = given ?? []
    try {
      this.#tokenizer = new HuggingFaceTokenizer({ ...json, added_tokens: added }, config)
      this.#splitters = this.#makeSplitters(added)
    } catch (cause) {
      throw new FormatError({
        package: PACKAGE,
        expected: 'tokenizer.json to describe a tokenizer',
        got: `the error "${cause instanceof Error ? cause.message : String(cause)}"`,
        cause,
      })
    }
  }

  /** The number of ids: one more than the highest that a token has. */
  get size(): number {
    return this.#model.vocab.length
  }

  /** Token ids of a text. Added tokens in it are found, whether they are special or not. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    takes('xo{addSpecialTokens}?', text, options)
    const [plain] = this.#splitters
    const found = plain
      .split(text)
      .flatMap((section, i) =>
        typeof section === 'string' ? this.#encodeText(section, i === 0) : section.content,
      )
    const tokens =
      this.#tokenizer.post_processor?.(found, null, options.addSpecialTokens ?? true).tokens ??
      found
    const model = this.#model
    // As in Hugging Face's library, what has no id is left out.
    return tokens.flatMap((token) => model.tokens_to_ids.get(token) ?? model.unk_token_id ?? [])
  }

  /**
   * The text of token ids. Ids that no token has are left out, as in transformers: models may have more
   * rows than there are tokens, padded to a round number.
   *
   * @throws {@link ValueError} for anything but integers from 0 on
   */
  decode(ids: readonly number[], options: DecodeOptions = {}): string {
    takes('lo{skipSpecialTokens}', ids, options)
    const wrong = ids.find((id) => !(Number.isSafeInteger(id) && id >= 0))
    if (wrong !== undefined) {
      const expected = 'token ids: integers from 0 on'
      throw new ValueError({ package: PACKAGE, expected, got: String(wrong) })
    }
    const known = ids.filter((id) => this.idToToken(id) !== undefined)
    if (known.length === 0) return ''
    return this.#tokenizer.decode(known, {
      skip_special_tokens: options.skipSpecialTokens ?? true,
      clean_up_tokenization_spaces: this.#cleanUp,
    })
  }

  /** A decoder for tokens that come one at a time. */
  stream(options: DecodeOptions = {}): TextStream {
    takes('o{skipSpecialTokens}?', options)
    return new TextStream((ids) => this.decode(ids, options))
  }

  /** The id of a token as the vocabulary spells it, such as `</s>`. */
  tokenToId(token: string): number | undefined {
    takes('x', token)
    return this.#tokenizer.token_to_id(token)
  }

  /** The token with this id as the vocabulary spells it. */
  idToToken(id: number): string | undefined {
    takes('n', id)
    return this.#tokenizer.id_to_token(id)
  }

  get #model(): Model {
    return this.#tokenizer.model as Model
  }

  #makeSplitters(tokens: readonly AddedToken[]): [AddedTokenSplitter, AddedTokenSplitter] {
    const isNormalized = ({ normalized, special }: AddedToken): boolean => normalized ?? !special
    const normalize = (text: string): string => this.#tokenizer.normalizer?.(text) ?? text
    return [
      new AddedTokenSplitter(tokens.filter((token) => !isNormalized(token))),
      new AddedTokenSplitter(tokens.filter(isNormalized), normalize),
    ]
  }

  /** @param isFirst - whether a text begins here: some tokenizers begin with a space then */
  #encodeText(text: string, isFirst: boolean): string[] {
    const { normalizer, pre_tokenizer: preTokenizer } = this.#tokenizer
    const [, normalized] = this.#splitters
    const encodeSection = (section: Section, i: number): string | string[] => {
      if (typeof section !== 'string') return section.content
      const options = { section_index: isFirst && i === 0 ? 0 : 1 }
      return this.#model(preTokenizer?.(section, options) ?? [section])
    }
    return normalized.split(normalizer?.(text) ?? text).flatMap(encodeSection)
  }
}

type Model = NonNullable<HuggingFaceTokenizer['model']>
