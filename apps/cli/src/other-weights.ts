/** @file Weights in files that `ao` does not read, which models often come with. */

import { readdir } from 'node:fs/promises'
import { FileError } from '@ao/safetensors'

const FLOATS = 'Pass the folder with the safetensors files that it was made of.'
const FILE = 'Pass the file itself.'
const SAVE = 'Save the model as safetensors first: model.save_pretrained(folder) of transformers.'

/** Names of files, what messages call them, and what to do about them. */
const KINDS: readonly (readonly [name: RegExp, kind: string, cure: string])[] = [
  [/\.(gguf|ggml)$/i, 'GGUF, which ao does not read', FLOATS],
  [/\.(onnx|onnx_data|tflite|mlmodel)$/i, 'a compiled model, which ao does not read', FLOATS],
  [/\.(bin|pth?)$/i, 'a file of PyTorch under another name than pytorch_model.bin', FILE],
  [/\.ckpt$/i, 'a checkpoint of training, which ao does not read', SAVE],
  [/\.(h5|hdf5|keras|msgpack|npz)$/i, 'weights of another framework', SAVE],
]

/** Weights that a folder is opened by: safetensors, whatever their names, and those of PyTorch. */
const READ = /\.safetensors(\.index\.json)?$|^pytorch_model\.bin(\.index\.json)?$/

/** What a file is by its name, and the cure; undefined where that is not known. */
export function otherWeights(
  fileName: string,
): { readonly kind: string; readonly cure: string } | undefined {
  const found = KINDS.find(([name]) => name.test(fileName))
  return found && { kind: found[1], cure: found[2] }
}

/**
 * Checks that a folder has weights that may be opened.
 *
 * @throws {@link FileError} where it has only others
 */
export async function checkWeightFiles(folder: string): Promise<void> {
  const names = (await readdir(folder).catch(() => [])).sort()
  if (names.some((name) => READ.test(name))) return
  const others = names.filter((name) => otherWeights(name))
  const found = otherWeights(others[0] ?? '')
  if (!found) return
  throw new FileError({
    package: '@ao/cli',
    expected: `model.safetensors or pytorch_model.bin in ${folder}`,
    got: `${others.slice(0, 3).join(', ')}${others.length > 3 ? ' and others' : ''}: ${found.kind}`,
    cure: found.cure,
  })
}
