// Codes of activations: a workgroup a token. Codes lie in rows of whole 16 bytes, with zeros at their ends.
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

var<workgroup> lows: array<i32, THREADS>;
var<workgroup> highs: array<i32, THREADS>;
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
  var low = HIGHEST;
  var high = LOWEST;
  for (var k = thread; k < params.k; k += THREADS) {
    let order = order_of(element(first + k));
    low = min(low, order);
    high = max(high, order);
  }
  lows[thread] = low;
  highs[thread] = high;
  for (var step = THREADS / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) {
      lows[thread] = min(lows[thread], lows[thread + step]);
      highs[thread] = max(highs[thread], highs[thread + step]);
    }
  }
  if (thread == 0u) {
    let is_number = lows[0] >= LOWEST && highs[0] <= HIGHEST;
    var range = vec2f(nan());
    if (is_number) { range = vec2f(value_of(lows[0]), value_of(highs[0])); }
    let qparams = qparams_of(range.x, range.y, params.rule);
    scale = qparams.scale;
    zero = value_int8(bits_int8(qparams.zero), 0u);
  }
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
  workgroupBarrier();
  lows[thread] = sum;
  for (var step = THREADS / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) { lows[thread] += lows[thread + step]; }
  }
  if (thread == 0u) { tokens[token] = vec4f(qparams.x, qparams.z, f32(lows[0]), 0.0); }
}
