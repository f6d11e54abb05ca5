/**
 * @file What a tensor is by its name and shape, for models of no known family. Where a name may mean two
 * things, the tensor is left alone.
 */

import type { ShapedTensor, TensorRole } from './role.ts'

/** What a rule looks at. */
interface Subject {
  /** The name without `.weight`. */
  readonly module: string
  readonly parts: readonly string[]
  /** The last part of `module` that is a name and no number. */
  readonly layer: string
  /** The words of `layer`, in lower case: `relative_attention_bias` has three. */
  readonly words: readonly string[]
  /** Whether a part of `module` is a number, as of a layer in a stack. */
  readonly isInStack: boolean
  readonly shape: readonly number[]
}

interface NameRule {
  readonly role: TensorRole
  matches(subject: Subject): boolean
}

const ADAPTER = /(^|\.)(lora|dora|hada|lokr|oft|ia3|vera)_\w+(\.|$)/
const ROUTER_PART = /(^|_)routers?(_|$)/
const EXPERT_PARTS = new Set(['experts', 'local_experts'])

/** Words of layers that multiply, whatever else is in their names: `embed_projection`, `rel_pos_linear`. */
const LINEAR_WORDS = new Set([
  ...['proj', 'projs', 'projection', 'projections', 'projector', 'project', 'linear', 'dense'],
  ...['fc', 'mapping', 'mlp'],
])
const EMBEDDING_NAMES = new Set(['shared', 'embedder'])
const EMBEDDING_WORDS = new Set([
  ...['embed', 'embeds', 'embedding', 'embeddings', 'emb', 'embs', 'embd', 'wte', 'wpe'],
  ...['codebook', 'codebooks'],
  // Tables of positions: relative_attention_bias, rel_pos, relative_position_bias_table, pe_k.
  ...['bias', 'table', 'pos', 'position', 'positions', 'positional', 'pe'],
])

const HEAD_NAMES = new RegExp(
  '(^|\\.)(lm_heads?|embed_out|output_layer|vocab_projector|generator_lm_head|lm_loss' +
    '|shared_head\\.head|(lm_head|predictions)\\.decoder|pred_layer\\.proj)(\\.\\d+)?$',
)
/** Heads by names that layers of a stack have, too. */
const HEAD_OUTSIDE_STACKS = /^(output|proj_out|score|classifier|qa_outputs|unembed|logits)$/

const isWide = ({ shape: [rows = 0, columns = 0] }: Subject): boolean => rows < columns
const hasWord = ({ words }: Subject, some: ReadonlySet<string>): boolean =>
  words.some((word) => some.has(word))

/** The first that matches decides. */
const RULES: readonly NameRule[] = [
  { role: 'adapter', matches: ({ module }) => ADAPTER.test(module) },
  { role: 'router', matches: ({ parts }) => parts.some((part) => ROUTER_PART.test(part)) },
  {
    // One row for each expert; a gate that multiplies has as many rows as columns, or more.
    role: 'router',
    matches: (s) =>
      s.isInStack && s.shape.length === 2 && /^(\w+_)?gate$|^wg$/.test(s.layer) && isWide(s),
  },
  { role: 'output head', matches: ({ module }) => HEAD_NAMES.test(module) },
  {
    role: 'output head',
    matches: ({ layer, isInStack, shape: [rows = 0, columns = 0] }) =>
      // A vocabulary is much larger than what comes in; a head of a few outputs is a layer like others.
      !isInStack && (HEAD_OUTSIDE_STACKS.test(layer) || (layer === 'head' && rows > 4 * columns)),
  },
  { role: 'norm', matches: ({ layer }) => /norm|^(ln|bn)(_|\d|$)|_(ln|bn)$/i.test(layer) },
  {
    role: 'embedding',
    matches: (s) =>
      EMBEDDING_NAMES.has(s.layer) || (hasWord(s, EMBEDDING_WORDS) && !hasWord(s, LINEAR_WORDS)),
  },
  {
    role: 'experts of unknown layout',
    matches: ({ parts, shape }) =>
      shape.length === 3 && parts.some((part) => EXPERT_PARTS.has(part)),
  },
  {
    role: 'convolution',
    matches: (s) =>
      s.shape.length > 3 ||
      (s.words.some((word) => word.startsWith('conv')) && !hasWord(s, LINEAR_WORDS)),
  },
  {
    // GPT-2's names, which others use for (out, in). The longer side says which; c_proj may have none.
    role: 'transposed linear',
    matches: (s) =>
      /^(c_attn|q_attn|c_fc)$/.test(s.layer) ? isWide(s) : s.layer === 'c_proj' && !isWide(s),
  },
]

/** The role that a name gives; undefined where it says nothing. */
export function roleByName(name: string, { shape }: ShapedTensor): TensorRole | undefined {
  if (name.endsWith('.bias') || name === 'bias') return undefined
  const module = moduleOf(name)
  const parts = module.split('.')
  const layer = parts.findLast((part) => !/^\d+$/.test(part)) ?? ''
  const isInStack = parts.some((part) => /^\d+$/.test(part))
  const subject = { module, parts, layer, words: wordsOf(layer), isInStack, shape }
  // A vector has nothing to quantize, whatever it is of.
  const rules = shape.length < 2 ? RULES.filter(({ role }) => role === 'norm') : RULES
  return rules.find((rule) => rule.matches(subject))?.role
}

/**
 * A weight's module: its name less `weight`, and less what wrappers of PEFT put between. Other parameters
 * keep their own name, which alone tells them apart.
 */
export function moduleOf(name: string): string {
  return name
    .replace(/(^|\.)weight$/, '')
    .replace(/\.(base_layer|original_module|modules_to_save\.\w+)$/, '')
}

function wordsOf(layer: string): string[] {
  return layer
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[_\d]+/)
    .filter((word) => word !== '')
}
