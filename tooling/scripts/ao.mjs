/**
 * @file `ao` from source, in the folder that npm was called in: npm runs scripts in the root of the workspace,
 * and says in `INIT_CWD` where the caller is.
 */
process.chdir(process.env.INIT_CWD ?? '.')
await import('../../apps/cli/src/main.ts')
