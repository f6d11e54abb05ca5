/** @file Reads the small JSON files of a model's folder. */

import { FormatError } from '@ao/base-tensor'
import type { CheckpointFolder } from '@ao/safetensors'

/** @throws {@link FormatError} where the file is missing or holds anything but a JSON object */
export async function readJson(folder: CheckpointFolder, fileName: string): Promise<object> {
  const json = await readJsonIfThere(folder, fileName)
  if (json !== undefined) return json
  throw new FormatError({
    package: '@ao/llama',
    expected: `${fileName} in ${folder.name}`,
    got: 'no such file',
    cure: 'The folder must hold a model as Hugging Face transformers saves it.',
  })
}

/** Undefined where the file is missing. */
export async function readJsonIfThere(
  folder: CheckpointFolder,
  fileName: string,
): Promise<object | undefined> {
  const text = await folder.readText(fileName)
  if (text === undefined) return undefined
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw notAnObject(folder, fileName, cause)
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json
  throw notAnObject(folder, fileName)
}

function notAnObject(folder: CheckpointFolder, fileName: string, cause?: unknown): FormatError {
  return new FormatError({
    package: '@ao/llama',
    expected: `${fileName} in ${folder.name} to hold a JSON object`,
    got: 'something else',
    cause,
  })
}
