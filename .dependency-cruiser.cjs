/**
 * @file Who may import whom: the layers of docs/architecture.md, with no cycle in them.
 * A package may import what is below it and never a package beside it.
 */

/** A package that a layer names is known; every other package is a format. */
const CONTRACTS = ['base-tensor', 'granularity']
const ARITHMETIC = ['quant-primitives']
const SHARED = ['quantized-linear']
const KERNELS = ['kernels-webgpu', 'kernels-wasm']
const ON_CONTRACTS = ['nn', 'safetensors']
const ON_FILES = ['torch-files']
const EXCHANGE = ['interop']
const WORKFLOWS = ['quantize', 'qat', 'gptq', 'awq', 'smoothquant', 'autoquant']
const GENERATION = ['text-generation']
const FAMILIES = ['causal-lm']
const MODELS = ['llama']
const ALONE = ['test-kit']
const NOT_FORMATS = [
  ...[CONTRACTS, ARITHMETIC, SHARED, KERNELS, ON_CONTRACTS, ON_FILES],
  ...[EXCHANGE, WORKFLOWS, GENERATION, FAMILIES, MODELS, ALONE],
].flat()

const filesOf = (names) => `^packages/(?:${names.join('|')})/`
const FORMAT = `^packages/(?!(?:${NOT_FORMATS.join('|')})/)([^/]+)/`
const ANY_PACKAGE = '^packages/[^/]+/src/'
/** What a package offers as `@ao/<name>/webgpu`. */
const WEBGPU_FILES = '^packages/[^/]+/src/webgpu(?:\\.ts$|/)'

/** Sources of `names` import, besides themselves, only the packages `allowed`. */
function layer(names, allowed) {
  return names.map((name) => ({
    name: `${name}-imports-downwards`,
    comment: `@ao/${name} may import ${allowed.map((other) => `@ao/${other}`).join(', ') || 'no @ao package'}.`,
    severity: 'error',
    from: { path: `${filesOf([name])}src/` },
    to: { path: '^(packages|apps)/', pathNot: filesOf([name, ...allowed]) },
  }))
}

module.exports = {
  forbidden: [
    ...layer(['base-tensor', ...ALONE], []),
    ...layer(['granularity', 'safetensors', ...KERNELS], ['base-tensor']),
    ...layer(['nn'], ['base-tensor', ...KERNELS]),
    ...layer(ON_FILES, ['base-tensor', 'safetensors']),
    ...layer(ARITHMETIC, [...CONTRACTS, ...KERNELS]),
    ...layer(SHARED, [...CONTRACTS, ...ARITHMETIC, ...KERNELS]),
    ...layer(EXCHANGE, [...CONTRACTS, ...ARITHMETIC, ...SHARED]),
    ...layer(WORKFLOWS, [...CONTRACTS, ...ARITHMETIC, ...SHARED, 'nn']),
    ...layer(GENERATION, ['base-tensor', ...KERNELS, ...ON_CONTRACTS]),
    ...layer(FAMILIES, ['base-tensor', ...KERNELS, ...ON_CONTRACTS, ...GENERATION]),
    ...layer(MODELS, ['base-tensor', ...KERNELS, ...ON_CONTRACTS, ...GENERATION, ...FAMILIES]),
    {
      name: 'formats-import-downwards',
      comment:
        'A format imports contracts, arithmetic, what formats share, and kernels: no sibling, no workflow, no app.',
      severity: 'error',
      from: { path: `${FORMAT}src/` },
      to: {
        path: '^(packages|apps)/',
        pathNot: ['^packages/$1/', filesOf([...CONTRACTS, ...ARITHMETIC, ...SHARED, ...KERNELS])],
      },
    },
    {
      name: 'kernels-have-a-subpath',
      comment:
        'Everything but `./webgpu` works without a kernel package: these stay behind src/webgpu*.',
      severity: 'error',
      from: { path: ANY_PACKAGE, pathNot: [WEBGPU_FILES, filesOf(KERNELS)] },
      to: { path: filesOf(KERNELS) },
    },
    {
      name: 'main-entries-reach-no-kernels',
      comment: 'Files outside of src/webgpu* do not import those inside.',
      severity: 'error',
      from: { path: ANY_PACKAGE, pathNot: WEBGPU_FILES },
      to: { path: WEBGPU_FILES },
    },
    {
      name: 'main-entries-reach-no-node',
      comment: 'Everything but `./node` runs in a browser: Node built-ins stay behind src/node*.',
      severity: 'error',
      from: { path: ANY_PACKAGE, pathNot: '^packages/[^/]+/src/node' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'main-entries-reach-no-node-files',
      comment: 'Files that do not begin with `node` do not import those that do.',
      severity: 'error',
      from: { path: ANY_PACKAGE, pathNot: '^packages/[^/]+/src/node' },
      to: { path: '^packages/[^/]+/src/node' },
    },
    {
      name: 'nothing-imports-apps',
      severity: 'error',
      from: { pathNot: '^apps/' },
      to: { path: '^apps/' },
    },
    {
      name: 'public-exports-only',
      comment: 'Another package is imported by its name, never by a path into it.',
      severity: 'error',
      from: { path: '^(packages|apps)/([^/]+)/' },
      to: { path: '^(packages|apps)/', pathNot: '^$1/$2/', dependencyTypes: ['local'] },
    },
    {
      name: 'sources-use-no-dev-dependencies',
      severity: 'error',
      from: { path: '^(packages|apps)/[^/]+/src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm', 'npm-peer'],
      },
    },
    {
      name: 'sources-use-no-tooling',
      severity: 'error',
      from: { path: '^(packages|apps)/[^/]+/src/' },
      to: { path: '^tooling/' },
    },
    {
      name: 'no-cycles',
      comment: 'Neither values nor types: what two files share is in a file below both.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // Scenarios are programs of users: they import what is installed.
    exclude: { path: ['/dist/', '^apps/consumer/(scenarios|own-format)/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@ao/source', 'import', 'types', 'default'],
    },
  },
}
