/** @file Reads the small JSON files of a model's folder. */

import { FormatError, ValueError, takes } from '@ao/base-tensor'
import { parsePythonJson, type CheckpointFolder, type ReadOptions } from '@ao/safetensors'

/**
 * The JSON object in a file of a model's folder.
 *
 * @throws {@link FormatError} where the file is missing or holds anything else
 */
export async function readJson(
  folder: CheckpointFolder,
  fileName: string,
  options?: ReadOptions,
): Promise<object> {
  const json = await readJsonIfThere(folder, fileName, options)
  if (json !== undefined) return json
  const why = folder.whyMissing?.(fileName)
  throw new FormatError({
    package: '@ao/text-generation',
    expected: `${fileName} in ${folder.name}`,
    got: why?.got ?? 'no such file',
    cure: why?.cure ?? 'The folder must hold a model as Hugging Face transformers saves it.',
  })
}

/** Undefined where the file is missing. */
export async function readJsonIfThere(
  folder: CheckpointFolder,
  fileName: string,
  options?: ReadOptions,
): Promise<object | undefined> {
  checkFolder(folder)
  takes('ox', folder, fileName)
  const text = await folder.readText(fileName, options)
  if (text === undefined) return undefined
  let json: unknown
  try {
    json = parsePythonJson(text, fileName)
  } catch (cause) {
    throw notAnObject(folder, fileName, text, cause)
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json
  throw notAnObject(folder, fileName, text)
}

// transformers takes a path here; callers without types may do the same.
function checkFolder(folder: unknown): void {
  if (typeof (folder as Partial<CheckpointFolder> | undefined)?.readText === 'function') return
  throw new ValueError({
    package: '@ao/text-generation',
    expected: 'a folder, such as urlFolder(url) of @ao/safetensors or directory(path) of its /node',
    got: typeof folder === 'string' ? JSON.stringify(folder) : typeof folder,
  })
}

function notAnObject(
  folder: CheckpointFolder,
  fileName: string,
  text: string,
  cause?: unknown,
): FormatError {
  const start = text.trimStart().slice(0, 40)
  return new FormatError({
    package: '@ao/text-generation',
    expected: `${fileName} in ${folder.name} to hold a JSON object`,
    got: start === '' ? 'an empty file' : `text that begins with ${JSON.stringify(start)}`,
    ...(start.startsWith('<')
      ? { cure: 'The server answers with a page where it has no such file: check the address.' }
      : {}),
    cause,
  })
}
