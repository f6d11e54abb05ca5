// What products of activations (M, K) and int8 weights (N, K) have in common: what they bind, how they
// read a weight, and what becomes of a sum. With CODES, activations are int8, too. The defines K and GROUP
// are numbers, or `params.k` and `params.group`.
@group(0) @binding(0) var<storage, read> x: array<$X>;
@group(0) @binding(1) var<storage, read> weight: array<$W>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;
@group(0) @binding(3) var<storage, read> zeros: array<u32>;
@group(0) @binding(4) var<storage, read> bias: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<$OUT>;
#if CODES
// Scale, zero point and sum of codes of each token.
@group(0) @binding(6) var<storage, read> tokens: array<vec4f>;
#endif

struct Params {
  m: u32,         // tokens of this dispatch
  n: u32,         // rows of the weight of this dispatch
  first_m: u32,   // token of the first
  first_n: u32,   // row of the first
  all_n: u32,     // rows of the weight
  scale_rows: u32, // rows that share a scale
  k: u32,
  group: u32,     // codes that share a scale: K, or fewer
}
@group(1) @binding(0) var<uniform> params: Params;

// Scale and zero point of a row of this dispatch, at k.
fn block_of(n: u32, k: u32) -> u32 {
  return (params.first_n + n) / params.scale_rows * ($K / $GROUP) + k / $GROUP;
}
fn scale_at(n: u32, k: u32) -> f32 {
  let block = block_of(n, k);
  return value_$SCALE(scales[block / $SCALE_PER_WORD], block);
}
fn zero_at(n: u32, k: u32) -> f32 {
#if ZERO
  let block = block_of(n, k);
  return value_$ZERO(zeros[block / $ZERO_PER_WORD], block);
#else
  return 0.0;
#endif
}

// Four codes as numbers: 2^23 + code + 128 is a float whose last bits are those of the code.
fn codes_of(word: u32) -> vec4f {
  let shifted = vec4u(word, word >> 8u, word >> 16u, word >> 24u) ^ vec4u(0x80u);
  return bitcast<vec4f>((shifted & vec4u(0xffu)) | vec4u(0x4b000000u)) - 8388736.0;
}

fn dot4(a: u32, b: u32) -> i32 {
#if PACKED_DOT
  return dot4I8Packed(a, b);
#else
  let p = vec4i(vec4u(a << 24u, a << 16u, a << 8u, a)) >> vec4u(24u);
  let q = vec4i(vec4u(b << 24u, b << 16u, b << 8u, b)) >> vec4u(24u);
  return p.x * q.x + p.y * q.y + p.z * q.z + p.w * q.w;
#endif
}

#if !SIXTEENS
// Four codes of a row from k on, and zeros from K on.
fn word_at(n: u32, k: u32) -> u32 {
  if (k >= $K) { return 0u; }
  let byte = n * $K + k;
#if FOURS
  return weight[byte / 4u];
#else
  let shift = byte % 4u * 8u;
  var word = weight[byte / 4u] >> shift;
  if (shift > 0u) { word |= weight[byte / 4u + 1u] << (32u - shift); }
  return select(word, extractBits(word, 0u, 8u * ($K - k)), $K - k < 4u);
#endif
}
#endif

// The element of the result from a sum over K. Tokens and rows are those of this dispatch.
#if CODES
fn finish(m: u32, n: u32, sum: i32, weight_sum: i32) {
  let token = tokens[params.first_m + m];
  let zero = zero_at(n, 0u);
  var y = (f32(sum) - zero * token.z) * token.x;
#if ASYMMETRIC
  y -= token.y * token.x * (f32(weight_sum) - zero * f32($K));
#endif
  store(m, n, y * scale_at(n, 0u));
}
#else
fn finish(m: u32, n: u32, sum: f32, unused: f32) {
#if GROUPS
  store(m, n, sum);
#else
  store(m, n, sum * scale_at(n, 0u));
#endif
}
#endif

fn store(m: u32, n: u32, value: f32) {
  var y = value;
  let row = params.first_n + n;
#if BIAS
  y += value_$BIAS(bias[row / $BIAS_PER_WORD], row);
#endif
  out[m * params.all_n + row] = $OUT($ROUND_OUT(y));
}
