/** @file What is said when no kernel can run a call. */

import { MissingKernelError, type AnyOp } from '@ao/base-tensor'

const PACKAGE = '@ao/kernels-webgpu'

/** For an op that a device has no kernel for. */
export function missingKernel({ opName }: AnyOp): MissingKernelError {
  const [owner, rest] = opName.split('.')
  const source =
    rest === undefined
      ? 'denseKernels of @ao/kernels-webgpu, or those of the package that defines it'
      : `webgpuKernels of the package that defines it, such as @ao/${owner?.replaceAll('_', '-')}/webgpu`
  return new MissingKernelError({
    package: PACKAGE,
    expected: `a kernel for ${opName}`,
    got: 'a device without one',
    cure: `Pass ${source}, in the kernels of WebGPUDevice.create().`,
  })
}

/** For arguments that no variant takes. */
export function noVariant(
  { opName }: AnyOp,
  variants: readonly { readonly name: string; readonly when: string }[],
): MissingKernelError {
  return new MissingKernelError({
    package: PACKAGE,
    expected: `arguments that a kernel of ${opName} takes: ${variants
      .map(({ name, when }) => `${name} (${when})`)
      .join(', ')}`,
    got: 'others',
    cure: 'Run it on the CPU: await tensor.to(cpu).',
  })
}
