/** @file What Chrome's console shows of tensors, modules and configs: the text of `String`, without calling it. */
import { chromiumOptions } from '@ao/webgpu-driver'
import { build } from 'esbuild'
import { chromium } from 'playwright'
import { expect, it } from 'vitest'

const ENTRY = `
import { tensor, zeros, cast } from './packages/base-tensor/src/index.ts'
import { PerGroup } from './packages/granularity/src/index.ts'
import { Int4Tensor } from './packages/int4/src/index.ts'
import { Int8DynamicActivationInt8WeightConfig, Int8Tensor, Int8WeightOnlyConfig } from './packages/int8/src/index.ts'
import { Linear } from './packages/nn/src/index.ts'

const weight = cast(zeros([16, 64]), 'bfloat16')
export const values = [
  tensor([[1, 2, 3], [4, 5, 6]]),
  tensor(1),
  weight.transpose(0, 1),
  Int8Tensor.fromHp(weight),
  Int4Tensor.fromHp(weight, { granularity: PerGroup(32) }),
  new Int8WeightOnlyConfig(),
  new Int8DynamicActivationInt8WeightConfig(),
]
export const modules = [new Linear(weight), new Linear(Int8Tensor.fromHp(weight))]
for (const value of [...values, ...modules]) console.log(value)
`

interface Shown {
  readonly description: string
  readonly preview: { readonly properties: readonly { name: string; value: string }[] }
}

const options = chromiumOptions()

it.skipIf(!options)('says what a value is', async () => {
  const { outputFiles } = await build({
    stdin: { contents: ENTRY, resolveDir: new URL('../../../', import.meta.url).pathname },
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'ao',
    conditions: ['@ao/source'],
  })
  const browser = await chromium.launch(options)
  try {
    const page = await browser.newPage()
    const client = await page.context().newCDPSession(page)
    const shown: Shown[] = []
    client.on('Runtime.consoleAPICalled', ({ args }) => shown.push(args[0] as never))
    await client.send('Runtime.enable')
    await page.addScriptTag({ content: outputFiles[0]?.text as string })
    const [values, weights] = await page.evaluate<[string[], string[]]>(
      `[ao.values.map(String), ao.modules.map(({ weight }) => String(weight))]`,
    )
    await expect.poll(() => shown.length).toBe(values.length + weights.length)

    expect(shown.slice(0, values.length).map(({ description }) => description)).toEqual(values)
    const modules = shown.slice(values.length)
    expect(modules.map(({ description }) => description)).toEqual(['Linear', 'Linear'])
    const fields = modules.map(({ preview }) =>
      preview.properties.find(({ name }) => name === 'weight'),
    )
    // Long texts are cut in the middle of a line of several values.
    fields.forEach((field, i) =>
      expect(weights[i]?.startsWith(field?.value.split('…')[0] as string)).toBe(true),
    )
  } finally {
    await browser.close()
  }
})
