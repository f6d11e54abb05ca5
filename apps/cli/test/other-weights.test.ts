import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ao, temporaryFolder } from './run-cli.ts'

const COMMANDS = (model: string): readonly (readonly string[])[] => [
  ['inspect', model],
  ['quantize', model, '--config', 'int8', '--dry-run'],
  ['generate', model, '--prompt', 'Once'],
  ['eval', model, '--text', model],
  ['compare', model, model],
]

describe('weights that are not read', () => {
  it.each([
    ['model-Q4_K_M.gguf', 'GGUF', 'safetensors files that it was made of'],
    ['model.onnx', 'a compiled model', 'safetensors files that it was made of'],
    ['last.ckpt', 'a checkpoint of training', 'model.save_pretrained(folder)'],
    ['tf_model.h5', 'weights of another framework', 'model.save_pretrained(folder)'],
  ])('%s is named, by every command', async (name, kind, cure) => {
    const folder = join(temporaryFolder(), 'model')
    mkdirSync(folder)
    const file = join(folder, name)
    writeFileSync(file, 'GGUF')
    for (const argv of COMMANDS(file)) {
      const { code, stderr } = await ao(argv)
      expect(code, argv[0]).toBe(1)
      expect(stderr).toContain(`got ${file}: ${kind}`)
      expect(stderr).toContain(cure)
    }
    for (const argv of COMMANDS(folder).filter(
      ([command]) => !/eval|generate/.test(command as string),
    )) {
      const { code, stderr } = await ao(argv)
      expect(code, argv[0]).toBe(1)
      expect(stderr).toContain(
        `Expected model.safetensors or pytorch_model.bin in ${folder}, got ${name}: ${kind}`,
      )
      expect(stderr).toContain(cure)
    }
  })
})
