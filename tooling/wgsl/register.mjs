/** @file `node --import ./tooling/wgsl/register.mjs` imports `.wgsl` files as text, as does tsx. */
import { register } from 'node:module'

register('./node-hooks.mjs', import.meta.url)
