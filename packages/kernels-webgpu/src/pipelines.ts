/** @file Pipelines, compiled in the background, and the layouts of their bindings. */

import { KernelError } from './errors.ts'
import type { Program } from './program.ts'

/** A program on one GPU: there once it is compiled. */
export interface Pipeline {
  readonly program: Program
  readonly bindings: GPUBindGroupLayout
  pipeline: GPUComputePipeline | undefined
  /** Resolves when `pipeline` is there; rejects with a {@link KernelError}. */
  readonly ready: Promise<void>
}

/** Bytes of uniforms that a program sees. */
export const PARAMS_SIZE = 256

const COMPUTE = 0x4

/** The pipelines of one GPU. */
export class PipelineCache {
  readonly paramsLayout: GPUBindGroupLayout
  readonly #gpu: GPUDevice
  readonly #pipelines = new Map<Program, Pipeline>()
  readonly #layouts = new Map<string, GPUBindGroupLayout>()

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu
    const buffer = { type: 'uniform', hasDynamicOffset: true, minBindingSize: PARAMS_SIZE } as const
    this.paramsLayout = gpu.createBindGroupLayout({
      entries: [{ binding: 0, visibility: COMPUTE, buffer }],
    })
  }

  /** The pipeline of a program; the first call begins to compile it. */
  get(program: Program): Pipeline {
    let pipeline = this.#pipelines.get(program)
    if (!pipeline) {
      pipeline = this.#compile(program)
      this.#pipelines.set(program, pipeline)
    }
    return pipeline
  }

  #compile(program: Program): Pipeline {
    const bindings = this.#layout(program.access)
    const layout = this.#gpu.createPipelineLayout({
      bindGroupLayouts: [bindings, this.paramsLayout],
    })
    // A shader that does not compile rejects `ready`; nobody else is to hear of it.
    this.#gpu.pushErrorScope('validation')
    const module = this.#gpu.createShaderModule({ label: program.name, code: program.code })
    const ready = this.#gpu
      .createComputePipelineAsync({ label: program.name, layout, compute: { module } })
      .then(
        (compiled) => {
          entry.pipeline = compiled
        },
        async (cause: unknown) => {
          throw await compileError(program, module, cause)
        },
      )
    void this.#gpu.popErrorScope().catch(() => undefined)
    ready.catch(() => undefined) // whoever waits for the commands is told
    const entry: Pipeline = { program, bindings, pipeline: undefined, ready }
    return entry
  }

  #layout(access: string): GPUBindGroupLayout {
    let layout = this.#layouts.get(access)
    if (!layout) {
      layout = this.#gpu.createBindGroupLayout({
        entries: Array.from(access, (kind, binding) => ({
          binding,
          visibility: COMPUTE,
          buffer: { type: kind === 'r' ? ('read-only-storage' as const) : ('storage' as const) },
        })),
      })
      this.#layouts.set(access, layout)
    }
    return layout
  }
}

async function compileError(
  program: Program,
  module: GPUShaderModule,
  cause: unknown,
): Promise<KernelError> {
  const info = await module.getCompilationInfo().catch(() => undefined)
  const messages = info?.messages.map(({ lineNum, message }) => `line ${lineNum}: ${message}`) ?? []
  return new KernelError({
    package: '@ao/kernels-webgpu',
    expected: `the kernel ${program.name} to compile`,
    got: messages.join('; ') || String((cause as Error | undefined)?.message ?? cause),
    cause,
  })
}
