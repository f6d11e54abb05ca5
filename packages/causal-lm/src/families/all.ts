/** @file Every family. */

import type { CausalLMFamily } from '../family.ts'
import { gemma2 } from './gemma2.ts'
import { gemma3 } from './gemma3.ts'
import { granite } from './granite.ts'
import { llama } from './llama.ts'
import { mistral } from './mistral.ts'
import { olmo2 } from './olmo2.ts'
import { phi3 } from './phi3.ts'
import { qwen2 } from './qwen2.ts'
import { qwen3 } from './qwen3.ts'
import { smollm3 } from './smollm3.ts'

/** All families, for apps that open whatever they are given. */
export const allFamilies: readonly CausalLMFamily[] = [
  ...[llama, qwen2, qwen3, mistral, phi3, gemma2, gemma3],
  ...[smollm3, olmo2, granite],
]
