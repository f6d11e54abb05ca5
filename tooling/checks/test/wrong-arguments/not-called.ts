/** @file Exports that the walk leaves out, and why. */

const KERNEL =
  'takes the GPU of a dispatch, or sizes that only such code has: it would check in each dispatch'
const NUMBER = 'is called for each number of a tensor: a check would take longer than it does'
const TESTS = 'runs tests, whose failures are what it is for'

/** By name; a method as `Class.static` or `Class#method`. */
export const NOT_CALLED: Readonly<Record<string, string>> = {
  takes: 'is the check itself: it takes the letters that it defines',
  splitGranularity: 'calls the maker of errors that it is given',
  checkPackingFormat: 'calls the maker of errors that it is given',
  WebGPUDevice: 'has a private constructor',
  byExperts: KERNEL,
  dequantizeWeight: KERNEL,
  elementwise: KERNEL,
  packCodes: KERNEL,
  quantizeInput: KERNEL,
  rowRanges: KERNEL,
  unpackCodes: KERNEL,
  fusedMultiplyAdd: NUMBER,
  roundToHalf: NUMBER,
  expectSameExtremes: TESTS,
  testExtremes: TESTS,
  testFormat: TESTS,
}

/** By entry of a package. */
export const NOT_CALLED_ENTRIES: Readonly<Record<string, string>> = {
  '@ao/kernels-webgpu/matrices': KERNEL,
  '@ao/kernels-webgpu/testing': TESTS,
  '@ao/quant-primitives/webgpu': KERNEL,
  '@ao/quantized-linear/webgpu/testing': TESTS,
}
