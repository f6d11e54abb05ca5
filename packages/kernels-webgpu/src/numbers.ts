import source from './wgsl/numbers.wgsl'

/** WGSL functions between floats and their bits, to be put before a kernel that calls them. */
export const numbersWgsl: string = source
