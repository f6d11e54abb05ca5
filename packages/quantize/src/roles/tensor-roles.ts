/** @file The role of each tensor of a model: by the table of its family, else by name and shape. */

import { isFloatDType, isJsonObject, type DType, type Json, takes } from '@ao/base-tensor'
import type { ModelFamily } from './model-family.ts'
import { moduleOf, roleByName } from './name-rules.ts'
import {
  KEPT_REASONS,
  type RoleDecision,
  type ShapedTensor,
  type TensorRole,
  type TensorRoles,
} from './role.ts'

/**
 * Says what the tensors of a model are.
 *
 * @param configJson - the model's `config.json`, which names its families: `model_type`, or the class in
 * `architectures`, of the model and of its parts (`text_config` and the like); null where there is none
 * @param families - the tables to look in, such as {@link MODEL_FAMILIES}; without them, and for what no
 * table names, names and shapes decide
 */
export function tensorRoles(
  configJson: Json = null,
  families: readonly ModelFamily[] = [],
): TensorRoles {
  takes('.l?', configJson, families)
  const parts = partsOf(configJson)
  const tables = parts.flatMap((part) => familyTables(part, families))
  const sizes = parts.flatMap((part) => HIDDEN_SIZES.map((key) => part[key]))
  const hidden = new Set(sizes.filter((size) => typeof size === 'number'))
  return (name, tensor) => {
    const module = moduleOf(name)
    const table = tables.find(({ role, matches }) => fits(role, tensor) && matches.test(module))
    if (table) {
      const role = table.role.endsWith('experts')
        ? expertLayout(module, tensor, hidden, table.role)
        : table.role
      return decide(role, table.rule, name, tensor)
    }
    const role = roleByName(name, tensor)
    if (role === UNKNOWN_LAYOUT) {
      return decide(expertLayout(module, tensor, hidden), SHAPE_RULE, name, tensor)
    }
    return decide(role ?? roleByShape(name, tensor), role ? NAME_RULE : SHAPE_RULE, name, tensor)
  }
}

const NAME_RULE = 'name rule'
const SHAPE_RULE = 'shape rule'
const UNKNOWN_LAYOUT = 'experts of unknown layout'
const HIDDEN_SIZES = ['hidden_size', 'n_embd', 'd_model', 'dim', 'model_dim']
/** How deep parts of a config may lie in each other. */
const MAX_DEPTH = 3

type JsonObject = { readonly [key: string]: Json }

/** The objects of a config that say of which family a model, or a part of it, is. */
function partsOf(config: Json, depth = 0): JsonObject[] {
  if (!isJsonObject(config) || depth > MAX_DEPTH) return []
  const nested = Object.values(config).flatMap((value) => partsOf(value, depth + 1))
  const isPart = depth === 0 || typeof config['model_type'] === 'string'
  return isPart ? [config, ...nested] : nested
}

interface FamilyTable {
  readonly rule: string
  readonly role: TensorRole
  readonly matches: RegExp
}

function familyTables(part: JsonObject, families: readonly ModelFamily[]): FamilyTable[] {
  const { model_type: type, architectures } = part
  const listed = Array.isArray(architectures) ? (architectures as readonly Json[]) : []
  const wanted = new Set([type, ...listed].filter((n) => typeof n === 'string').map(normalized))
  for (const { modelTypes, roles } of families) {
    const found = modelTypes.find((modelType) => wanted.has(normalized(modelType)))
    if (found === undefined) continue
    return Object.entries(roles)
      .filter(([, patterns]) => patterns.length > 0)
      .map(([role, patterns]) => ({
        rule: `family ${found}`,
        role: role as TensorRole,
        matches: new RegExp(`(?:^|\\.)(?:${patterns.join('|')})$`),
      }))
  }
  return []
}

/** `GPT2LMHeadModel`, `GPT2Model` and `gpt2` come to the same. */
function normalized(name: string): string {
  return name
    .replace(/(For[A-Z]\w*|With[A-Z]\w*|LMHead\w*|DoubleHeads\w*|PreTrained\w*|Model)$/, '')
    .replace(/[-_]/g, '')
    .toLowerCase()
}

/** Whether a tensor has the dimensions that its role needs. */
function fits(role: TensorRole, { shape }: ShapedTensor): boolean {
  if (role === 'linear' || role === 'transposed linear') return shape.length === 2
  return !role.endsWith('experts') || shape.length === 3
}

/** Projections whose outputs have the hidden size; the inputs of the others have it. */
const DOWN = /(^|[._])(down|w2|output|fc2|wo)([._]|$)/
const UP = /(^|[._])(gate|up|w1|w3|input|fc1|wi)([._]|$)/

/** On which side the hidden size is; `ofFamily` where it may be on either. */
function expertLayout(
  module: string,
  { shape }: ShapedTensor,
  hidden: ReadonlySet<number>,
  ofFamily: TensorRole = UNKNOWN_LAYOUT,
): TensorRole {
  const [, rows = 0, columns = 0] = shape
  const own = module.slice(module.lastIndexOf('.') + 1)
  const isDown = DOWN.test(own)
  if (isDown === UP.test(own)) return UNKNOWN_LAYOUT
  const isPlain = hidden.has(isDown ? rows : columns)
  const isTransposed = hidden.has(isDown ? columns : rows)
  if (isPlain && isTransposed) return ofFamily
  if (isPlain) return 'experts'
  return isTransposed ? 'transposed experts' : UNKNOWN_LAYOUT
}

function roleByShape(name: string, { shape }: ShapedTensor): TensorRole {
  return isWeight(name) && shape.length === 2 ? 'linear' : 'other'
}

function decide(role: TensorRole, rule: string, name: string, tensor: ShapedTensor): RoleDecision {
  return { role, rule, reason: keptReason(role, name, tensor) }
}

function keptReason(role: TensorRole, name: string, tensor: ShapedTensor): string | undefined {
  const needsNoWeight = role !== 'linear' && role !== 'transposed linear' && role !== 'other'
  if (!needsNoWeight && !isWeight(name)) return 'it is not named *.weight'
  if (!isFloatDType(tensor.dtype as DType)) return `its dtype is ${tensor.dtype}`
  if (role !== 'other') return KEPT_REASONS[role]
  return `its shape is [${tensor.shape.join(', ')}], not (out, in)`
}

function isWeight(name: string): boolean {
  return name === 'weight' || name.endsWith('.weight')
}
