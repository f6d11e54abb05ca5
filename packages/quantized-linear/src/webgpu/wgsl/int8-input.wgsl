// After params.wgsl and a decoder. An input of int8 codes, in rows of whole 16 bytes with zeros at their ends, and
// what becomes of sums of products with them.
@group(0) @binding($x_BINDING) var<storage, read> x_: array<vec4u>;
// Scale, zero point and sum of the codes of each row.
@group(0) @binding($tokens_BINDING) var<storage, read> tokens_: array<vec4f>;

const SIXTEENS = (K + 15u) / 16u; // in a row

// Codes 16 i to 16 i + 15 of a row.
fn x_codes(m: u32, i: u32) -> vec4u { return x_[m * SIXTEENS + i]; }

// The sum of four products of bytes.
fn dot4(a: u32, b: u32) -> i32 {
#if PACKED_DOT
  return dot4I8Packed(a, b);
#else
  let p = vec4i(vec4u(a << 24u, a << 16u, a << 8u, a)) >> vec4u(24u);
  let q = vec4i(vec4u(b << 24u, b << 16u, b << 8u, b)) >> vec4u(24u);
  return p.x * q.x + p.y * q.y + p.z * q.z + p.w * q.w;
#endif
}

// A group's share of four rows of the weight, for sums of products with row m of the input, sums of levels, and
// the sum of `count` codes of the input. The input's scale comes first, as in the reference: sums times the scale
// of a large weight would be infinite.
fn share(m: u32, q: Qparams, sums: vec4i, level_sums: vec4i, code_sum: f32, count: u32) -> vec4f {
  let token = tokens_[m];
  var y = vec4f(sums);
#if ASYMMETRIC
  y -= token.y * vec4f(level_sums);
#endif
  y *= token.x;
#if SYMMETRIC_WEIGHT
  return y * q.scale;
#else
  return y * q.scale + (code_sum - token.y * f32(count)) * token.x * q.zero;
#endif
}

// The result for rows that are one group each.
fn scaled(m: u32, row: u32, sums: vec4i, level_sums: vec4i) -> vec4f {
  return share(m, qparams(row, 0u), sums, level_sums, tokens_[m].z, K);
}
