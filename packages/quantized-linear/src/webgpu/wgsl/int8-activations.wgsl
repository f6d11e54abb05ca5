// After qparamsWgsl. Codes of an input, of int8: a workgroup for each row (token). Codes lie in rows of whole 16
// bytes, with zeros at their ends. With ROUNDS, threads keep their elements, eight neighbours at a time.
#if ROUNDS
@group(0) @binding(0) var<storage, read> x: array<vec4u>;
#else
@group(0) @binding(0) var<storage, read> x: array<u32>;
#endif
@group(0) @binding(1) var<storage, read_write> codes: array<u32>;
// Scale, zero point and sum of codes of each token.
@group(0) @binding(2) var<storage, read_write> tokens: array<vec4f>;
#if KNOWN
// One for each token, or one for all.
@group(0) @binding(3) var<storage, read> scales: array<u32>;
@group(0) @binding(4) var<storage, read> zeros: array<u32>;
#endif

struct Params {
  rule: Rule,
  first: u32,     // token of the first workgroup
  count: u32,     // tokens of this dispatch
  k: u32,
  per_token: u32, // 1 where tokens have scales of their own, else 0
}
@group(1) @binding(0) var<uniform> params: Params;

const THREADS = ${THREADS}u;

var<workgroup> partial: array<vec2i, THREADS>;
#if SUBGROUPS
var<private> subgroup_size: u32;
var<private> subgroup_lane: u32;
#endif

var<workgroup> chosen: vec3f; // scale, its reciprocal, zero point

#if ROUNDS
// Elements 8 i to 8 i + 7.
fn eight(i: u32) -> array<f32, 8> {
#if IN == float32
  let low = x[2u * i];
  let high = x[2u * i + 1u];
#for e in 0..4
  let e$e = value_$IN(low[$e], 0u);
#end
#for e in 4..8
  let e$e = value_$IN(high[$e - 4], 0u);
#end
#else
  let words = x[i];
#for e in 0..8
  let e$e = value_$IN(words[$e / 2], ${e}u);
#end
#endif
  return array<f32, 8>(e0, e1, e2, e3, e4, e5, e6, e7);
}
#else
fn element(i: u32) -> f32 { return value_$IN(x[i / $IN_PER_WORD], i); }
#endif

// The bits of a code.
fn code_of(x: f32, qparams: vec3f) -> u32 {
  let steps = round($ROUND_PRODUCT(multiply(x, qparams.y)));
  return bits_int8(clamp_code(steps + qparams.z, params.rule.quant_min, params.rule.quant_max));
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
#if SUBGROUPS
        @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) lane: u32,
#endif
        @builtin(local_invocation_index) thread: u32) {
#if SUBGROUPS
  subgroup_size = size;
  subgroup_lane = lane;
#endif
  let row = group.y * groups.x + group.x; // of the binding
  if (row >= params.count) { return; }
  let token = params.first + row;
  let first = row * params.k;
  let words = (params.k + 15u) / 16u * 4u;
#if ROUNDS
  let eights = params.k / 8u;
#for r in 0..ROUNDS
  let at_$r = thread + ${r}u * THREADS;
  let x_$r = eight(first / 8u + min(at_$r, eights - 1u));
#end
#endif
  var scale = 0.0;
  var zero = 0.0;
#if KNOWN
  let at = token * params.per_token;
  scale = value_$SCALE(scales[at / $SCALE_PER_WORD], at);
#if ZERO
  zero = value_$ZERO(zeros[at / $ZERO_PER_WORD], at);
#endif
#else
  var range = vec2i(HIGHEST, LOWEST);
#if ROUNDS
#for r in 0..ROUNDS
#for e in 0..8
  range = wider(range, vec2i(order_of(x_$r[$e])));
#end
#end
#else
  for (var k = thread; k < params.k; k += THREADS) {
    range = wider(range, vec2i(order_of(element(first + k))));
  }
#endif
  let qparams_chosen = qparams_of(joined(thread, range, false), params.rule);
  scale = qparams_chosen.scale;
  zero = value_int8(bits_int8(qparams_chosen.zero), 0u);
#endif
  if (thread == 0u) { chosen = vec3f(scale, $ROUND_SCALE(divide(1.0, scale)), zero); }
  workgroupBarrier();
  let qparams = chosen;
  var sum = 0;
#if ROUNDS
#for r in 0..ROUNDS
  if (at_$r < eights) {
#for h in 0..2
    let word_$h = code_of(x_$r[4 * $h], qparams) | (code_of(x_$r[4 * $h + 1], qparams) << 8u)
        | (code_of(x_$r[4 * $h + 2], qparams) << 16u) | (code_of(x_$r[4 * $h + 3], qparams) << 24u);
    let fours_$h = (vec4i(bitcast<i32>(word_$h)) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u);
    sum += (fours_$h.x + fours_$h.y) + (fours_$h.z + fours_$h.w);
    codes[token * words + 2u * at_$r + ${h}u] = word_$h;
#end
  }
#end
  // The half of the last 16 bytes.
  if (thread == 0u && params.k % 16u == 8u) {
    codes[token * words + words - 2u] = 0u;
    codes[token * words + words - 1u] = 0u;
  }
#else
  for (var word = thread; word < words; word += THREADS) {
    var packed = 0u;
    for (var k = word * 4u; k < min(word * 4u + 4u, params.k); k++) {
      let bits = code_of(element(first + k), qparams);
      packed |= bits << (8u * (k % 4u));
      sum += i32(value_int8(bits, 0u));
    }
    codes[token * words + word] = packed;
  }
#endif
  let total = joined(thread, vec2i(sum), true).x;
  if (thread == 0u) { tokens[token] = vec4f(qparams.x, qparams.z, f32(total), 0.0); }
}

// In the first thread: the range of all threads' ranges, or their sum.
fn joined(thread: u32, own: vec2i, adds: bool) -> vec2i {
#if SUBGROUPS
  let among = select(vec2i(subgroupMin(own.x), subgroupMax(own.y)), subgroupAdd(own), adds);
  workgroupBarrier();
  if (subgroup_lane == 0u) { partial[thread / subgroup_size] = among; }
  workgroupBarrier();
  var all = partial[0];
  for (var i = 1u; i < (THREADS + subgroup_size - 1u) / subgroup_size; i++) {
    all = select(wider(all, partial[i]), all + partial[i], adds);
  }
  return all;
#else
  workgroupBarrier();
  partial[thread] = own;
  for (var step = THREADS / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) {
      let a = partial[thread];
      let b = partial[thread + step];
      partial[thread] = select(wider(a, b), a + b, adds);
    }
  }
  return partial[thread];
#endif
}
