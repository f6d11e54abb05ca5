/** @file Every family. */

import type { CausalLMFamily } from '../family.ts'
import { gemma2 } from './gemma2.ts'
import { gemma3 } from './gemma3.ts'
import { gpt2 } from './gpt2.ts'
import { gptOss } from './gpt-oss.ts'
import { granite } from './granite.ts'
import { lfm2 } from './lfm2.ts'
import { llama } from './llama.ts'
import { mistral } from './mistral.ts'
import { mixtral } from './mixtral.ts'
import { olmo2 } from './olmo2.ts'
import { phi3 } from './phi3.ts'
import { qwen2 } from './qwen2.ts'
import { qwen3 } from './qwen3.ts'
import { qwen3Moe } from './qwen3-moe.ts'
import { smollm3 } from './smollm3.ts'

/** All families, for apps that open whatever they are given. */
export const allFamilies: readonly CausalLMFamily[] = [
  ...[llama, qwen2, qwen3, qwen3Moe, mistral, mixtral, phi3, gemma2, gemma3],
  ...[smollm3, olmo2, granite, gpt2, gptOss, lfm2],
]
