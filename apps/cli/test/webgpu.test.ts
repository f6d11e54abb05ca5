import { join } from 'node:path'
import { modelPath } from '@ao/test-data'
import { testGPU } from '@ao/webgpu-driver/gpu'
import { describe, expect, it } from 'vitest'
import { MODEL } from './checkpoints.ts'
import { ao, aoJson, temporaryFolder } from './run-cli.ts'

const gpu = await testGPU()
const PROMPT = ['--prompt', 'Once upon a time', '--max-tokens', '3']
const INT4 = ['--config', 'int4', '--group-size', '32']

// A software driver takes seconds to compile what a model needs.
describe.skipIf(!gpu)('--device webgpu', { timeout: 240_000 }, () => {
  it('generates the text of the CPU, with weights quantized there', async () => {
    const host = await aoJson(['generate', MODEL, ...PROMPT, ...INT4])
    const there = await aoJson(['generate', MODEL, ...PROMPT, ...INT4, '--device', 'webgpu'])
    expect(there.ids).toEqual(host.ids)
  })

  it('measures what the CPU measures', async () => {
    const text = ['--text', modelPath('sampled_stories.txt'), '--max-tokens-total', '12']
    const evaluate = async (...more: string[]): Promise<any> =>
      aoJson(['eval', MODEL, ...text, '--config', 'int8', ...more])
    const [host, there] = [await evaluate(), await evaluate('--device', 'webgpu')]
    for (const [i, row] of host.rows.entries()) {
      const other = there.rows[i]
      expect(Math.abs(other.perplexity - row.perplexity)).toBeLessThan(0.03)
      expect(other.bytes).toBe(row.bytes)
      expect(other.worstWeight).toEqual(row.worstWeight)
      if (i > 0) expect(other.logitsSqnr).toBeCloseTo(row.logitsSqnr, 0)
    }
  })

  it('quantizes to the bytes of the CPU, which compare equal there', async () => {
    const [here, there] = [join(temporaryFolder(), 'cpu'), join(temporaryFolder(), 'gpu')]
    await aoJson(['quantize', MODEL, '--config', 'int8', '--out', here])
    await aoJson(['quantize', MODEL, '--config', 'int8', '--out', there, '--device', 'webgpu'])
    const { totals } = await aoJson(['compare', here, there, '--device', 'webgpu'])
    expect(totals.equal).toBe(totals.tensors)
  })
})

it('refuses other devices', async () => {
  const { code, stderr } = await ao(['generate', MODEL, ...PROMPT, '--device', 'cuda'])
  expect(code).toBe(2)
  expect(stderr).toContain("argument 'cuda' is invalid. Allowed choices are cpu, webgpu.")
})
