/** @file AutoModelForCausalLM: a model of whatever family its config.json names. */

import { takes } from '@ao/base-tensor'
import type { CheckpointFolder } from '@ao/safetensors'
import type { LoadOptions } from '@ao/text-generation'
import { CausalLM } from './causal-lm.ts'
import type { CausalLMFamily } from './family.ts'
import { readConfig } from './parse-config.ts'

/** Options of {@link AutoModelForCausalLM.fromPretrained}. */
export interface AutoModelOptions extends LoadOptions {
  /** Of which `model_type` of config.json chooses: `allFamilies`, or those that an app needs. */
  readonly families: readonly CausalLMFamily[]
}

/** transformers' `AutoModelForCausalLM`: loads a model of any of the families that are passed. */
export const AutoModelForCausalLM: {
  fromPretrained(folder: CheckpointFolder, options: AutoModelOptions): Promise<CausalLM>
} = {
  /**
   * Loads a model in Hugging Face layout: config.json and safetensors weights, in one file or in
   * shards, which are read tensor by tensor.
   *
   * Checkpoints that torchao quantized are opened as they are: pass their formats, such as
   * `formats: [Int8Tensor]`. The ids that end a text are those of generation_config.json, where it names
   * any, else those of config.json.
   *
   * @throws {@link FormatError} naming the file and the field or tensor that is wrong, missing, of a format
   * that was not passed, or of no use to the model; the signal's reason when it is aborted
   */
  async fromPretrained(folder: CheckpointFolder, options: AutoModelOptions): Promise<CausalLM> {
    takes(
      'o<open:f readText:f>o{families dtype device formats fileKinds onProgress onIgnored signal unknownFields unexpectedTensors}',
      folder,
      options,
    )
    takes('o<families:l>', options)
    const { families, ...load } = options
    const { family, config } = await readConfig(folder, families, load)
    const model = new CausalLM(config, family)
    await model.load(folder, load)
    return model
  },
}
