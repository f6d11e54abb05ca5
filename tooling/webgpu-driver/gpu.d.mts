/// <reference types="webgpu" />

/**
 * The `GPU` that tests run on: a GPU or a software driver in Node, `navigator.gpu` in the browser.
 * `undefined` where the machine has neither; tests are skipped then (`describe.skipIf`).
 */
export declare function testGPU(): Promise<GPU | undefined>

/**
 * A `GPU` whose adapter compiles and validates everything and runs nothing: it has `shader-f16`,
 * subgroups of 4 to 128, and `chromium-experimental-subgroup-matrix`, whatever the machine has.
 * Node alone; `undefined` in the browser.
 */
export declare function validationGPU(): Promise<GPU | undefined>
