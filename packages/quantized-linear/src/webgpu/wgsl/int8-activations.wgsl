// After qparamsWgsl. Codes of an input, of int8: a workgroup for each row (token). Codes lie in rows of whole 16
// bytes, with zeros at their ends.
@group(0) @binding(0) var<storage, read> x: array<u32>;
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
var<workgroup> chosen: vec3f; // scale, its reciprocal, zero point

fn element(i: u32) -> f32 { return value_$IN(x[i / $IN_PER_WORD], i); }

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let row = group.y * groups.x + group.x; // of the binding
  if (row >= params.count) { return; }
  let token = params.first + row;
  let first = row * params.k;
  let words = (params.k + 15u) / 16u * 4u;
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
  for (var k = thread; k < params.k; k += THREADS) {
    range = wider(range, vec2i(order_of(element(first + k))));
  }
  let qparams_chosen = qparams_of(joined(thread, range, false), params.rule);
  scale = qparams_chosen.scale;
  zero = value_int8(bits_int8(qparams_chosen.zero), 0u);
#endif
  if (thread == 0u) { chosen = vec3f(scale, $ROUND_SCALE(divide(1.0, scale)), zero); }
  workgroupBarrier();
  let qparams = chosen;
  var sum = 0;
  for (var word = thread; word < words; word += THREADS) {
    var packed = 0u;
    for (var k = word * 4u; k < min(word * 4u + 4u, params.k); k++) {
      let steps = round($ROUND_PRODUCT(multiply(element(first + k), qparams.y)));
      let code = clamp_code(steps + qparams.z, params.rule.quant_min, params.rule.quant_max);
      let bits = bits_int8(code);
      packed |= bits << (8u * (k % 4u));
      sum += i32(value_int8(bits, 0u));
    }
    codes[token * words + word] = packed;
  }
  let total = joined(thread, vec2i(sum), true).x;
  if (thread == 0u) { tokens[token] = vec4f(qparams.x, qparams.z, f32(total), 0.0); }
}

// In the first thread: the range of all threads' ranges, or their sum.
fn joined(thread: u32, own: vec2i, adds: bool) -> vec2i {
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
}
