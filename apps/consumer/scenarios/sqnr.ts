/** @file What `int8-alone/measure.mjs` prints, wherever it runs. */

const EXPECTED_DB = 47.81
// Kernels sum in another order.
const WEBGPU_TOLERANCE_DB = 0.05

/** @throws Error unless it is the number that the CPU gives everywhere */
export function expectSqnr(text: string): string {
  return expectNear(text, 0)
}

/** @throws Error unless it is that of the CPU, but for rounding */
export function expectWebgpuSqnr(text: string): string {
  return expectNear(text, WEBGPU_TOLERANCE_DB)
}

function expectNear(text: string, tolerance: number): string {
  const db = Number(/^SQNR (\d+\.\d+) dB$/.exec(text.trim())?.[1])
  if (Math.abs(db - EXPECTED_DB) <= tolerance) return text.trim()
  throw new Error(`Expected SQNR ${EXPECTED_DB} dB within ${tolerance}, got ${text}`)
}
