/** @file A program that opens all bombs, one after the other. A test runs it with little memory. */

import { BOMBS, bombFile, openBomb } from './bombs.ts'

for (const name of Object.keys(BOMBS)) {
  process.stdout.write(`${name}: ${await openBomb(bombFile(name))}\n`)
}
