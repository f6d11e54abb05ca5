/** @file Text to token ids and back, by the tokenizer.json of a model. */

import { FormatError, ValueError } from '@ao/base-tensor'
import type { CheckpointFolder } from '@ao/safetensors'
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers'
import { readJson, readJsonIfThere } from './read-json.ts'
import { TextStream } from './text-stream.ts'

const PACKAGE = '@ao/llama'

/** Options of {@link Tokenizer.encode}. */
export interface EncodeOptions {
  /** Whether to add what the model expects around a text, such as a leading `<s>`: true unless given. */
  readonly addSpecialTokens?: boolean
}

/** Options of {@link Tokenizer.decode}. */
export interface DecodeOptions {
  /** Whether to leave out tokens such as `</s>`: true unless given. */
  readonly skipSpecialTokens?: boolean
}

/**
 * The tokenizer of a model's folder: tokenizer.json, and tokenizer_config.json where there is one.
 *
 * @throws {@link FormatError} naming the file that is missing or wrong
 */
export async function loadTokenizer(folder: CheckpointFolder): Promise<Tokenizer> {
  const json = await readJson(folder, 'tokenizer.json')
  return new Tokenizer(json, await readJsonIfThere(folder, 'tokenizer_config.json'))
}

/** A Hugging Face tokenizer. */
export class Tokenizer {
  readonly #tokenizer: HuggingFaceTokenizer
  readonly #cleanUp: boolean

  /**
   * @param json - the content of tokenizer.json
   * @param config - the content of tokenizer_config.json
   * @throws {@link FormatError} for a tokenizer that cannot be built
   */
  constructor(json: object, config: object = {}) {
    this.#cleanUp = (config as Record<string, unknown>)['clean_up_tokenization_spaces'] === true
    try {
      this.#tokenizer = new HuggingFaceTokenizer(json, config)
    } catch (cause) {
      throw new FormatError({
        package: PACKAGE,
        expected: 'tokenizer.json to describe a tokenizer',
        got: `the error "${cause instanceof Error ? cause.message : String(cause)}"`,
        cause,
      })
    }
  }

  encode(text: string, options: EncodeOptions = {}): number[] {
    const { addSpecialTokens = true } = options
    return this.#tokenizer.encode(text, { add_special_tokens: addSpecialTokens }).ids
  }

  /** @throws {@link ValueError} for an id that no token has */
  decode(ids: readonly number[], options: DecodeOptions = {}): string {
    if (ids.length === 0) return ''
    const unknown = ids.find((id) => this.idToToken(id) === undefined)
    if (unknown !== undefined) {
      throw new ValueError({
        package: PACKAGE,
        expected: 'ids that the tokenizer has',
        got: String(unknown),
      })
    }
    return this.#tokenizer.decode([...ids], {
      skip_special_tokens: options.skipSpecialTokens ?? true,
      clean_up_tokenization_spaces: this.#cleanUp,
    })
  }

  /** A decoder for tokens that come one at a time. */
  stream(options: DecodeOptions = {}): TextStream {
    return new TextStream((ids) => this.decode(ids, options))
  }

  /** The id of a token as the vocabulary spells it, such as `</s>`. */
  tokenToId(token: string): number | undefined {
    return this.#tokenizer.token_to_id(token)
  }

  /** The token with this id as the vocabulary spells it. */
  idToToken(id: number): string | undefined {
    return this.#tokenizer.id_to_token(id)
  }
}
