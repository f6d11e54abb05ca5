// After a decoder that has `level`, but not `levels4`.
const LEVEL_OFFSET = 0.0;
const SHARE = 1.0;
const WHOLE = 1.0;

fn levels4(row: u32, chunk: u32, j: u32) -> vec4f {
  let k = chunk * CHUNK + 4u * j;
  return vec4f(level(row, k), level(row, k + 1u), level(row, k + 2u), level(row, k + 3u));
}
