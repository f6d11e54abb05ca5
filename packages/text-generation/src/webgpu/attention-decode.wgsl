// After numbers.wgsl, stored.wgsl, attention-score.wgsl and reduce.wgsl. One new token's attention. A workgroup takes
// $SHARED query heads that read one key head, and a part of the tokens; it walks over them in tiles of a token a
// thread, with a softmax that is corrected as it goes. Options: WINDOW, SOFTCAP, SINKS and MASK (at which bindings),
// as in the op's AttentionOptions.
@group(0) @binding(0) var<storage, read> q: array<${X}_4>;
@group(0) @binding(1) var<storage, read> keys: array<${KV}_4>;
@group(0) @binding(2) var<storage, read> values: array<${KV}_4>;
#if SPLIT
@group(0) @binding(3) var<storage, read_write> sums: array<vec4f>; // (parts, H, D)
@group(0) @binding(4) var<storage, read_write> scales: array<vec2f>; // (parts, H): largest score, sum of weights
#else
@group(0) @binding(3) var<storage, read_write> y: array<${X}_4>;
#if SINKS
@group(0) @binding(4) var<storage, read> sinks: array<f32>; // (H)
#endif
#endif
#if MASK
@group(0) @binding(${MASK}) var<storage, read> key_mask: array<i32>;
#endif

// Part i is tokens i * part to (i + 1) * part.
struct Params { length: u32, part: u32, scale: f32 }
@group(1) @binding(0) var<uniform> params: Params;

const SHARED = ${SHARED}u;
const HEADS = ${HEADS}u;
const GROUPS = ${GROUPS}u;
const QUADS = ${QUADS}u; // of a head
const SLOTS = THREADS / QUADS; // tokens whose values are read at the same time
const LOWEST = -3.0e38;

var<workgroup> queries: array<vec4f, SHARED * QUADS>;
var<workgroup> weights: array<f32, SHARED * THREADS>;
var<workgroup> slot_sums: array<vec4f, THREADS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u,
#if SUBGROUPS
        @builtin(subgroup_size) subgroup: u32,
#endif
        @builtin(local_invocation_index) lane: u32) {
#if !SUBGROUPS
  let subgroup = 1u;
#endif
  let head0 = group.x * SHARED;
  let key_head = head0 / (HEADS / GROUPS);
#if WINDOW
  let end = min((group.y + 1u) * params.part, params.length);
  let begin = max(group.y * params.part, max(params.length, ${WINDOW}u) - ${WINDOW}u);
#else
  let begin = group.y * params.part;
  let end = min(begin + params.part, params.length);
#endif
  for (var i = lane; i < SHARED * QUADS; i += THREADS) {
    queries[i] = ${X}_load(q[head0 * QUADS + i]);
  }
  let quad = lane % QUADS;
  let slot = lane / QUADS;
#for h in 0..SHARED
  var most$h = LOWEST;
  var weight$h = 0.0; // this thread's part of the sum of weights
  var sum$h = vec4f();
#end
  for (var tile = begin; tile < end; tile += THREADS) {
    workgroupBarrier();
    let token = tile + lane;
#if MASK
    let is_seen = token < end && key_mask[min(token, end - 1u)] != 0;
#endif
#for h in 0..SHARED
    var score$h = 0.0;
#end
    let key = (min(token, end - 1u) * GROUPS + key_head) * QUADS;
    for (var c = 0u; c < QUADS; c++) {
      let part = ${KV}_load(keys[key + c]);
#for h in 0..SHARED
      score$h += dot(queries[${h}u * QUADS + c], part);
#end
    }
#for h in 0..SHARED
    {
      score$h = score_of(score$h, params.scale);
#if MASK
      let score = select(LOWEST, score$h, is_seen);
#else
      let score = select(LOWEST, score$h, token < end);
#endif
      let most = max(most$h, workgroup_max(score, lane, subgroup));
      let faded = exp(most$h - most);
#if MASK
      let weight = select(0.0, exp(score - most), is_seen);
#else
      let weight = select(0.0, exp(score - most), token < end);
#endif
      weight$h = weight$h * faded + weight;
      sum$h *= faded;
      most$h = most;
      weights[${h}u * THREADS + lane] = weight;
    }
#end
    workgroupBarrier();
    if (slot < SLOTS) {
      let count = min(THREADS, end - tile);
      for (var j = slot; j < count; j += SLOTS) {
        let value = ${KV}_load(values[((tile + j) * GROUPS + key_head) * QUADS + quad]);
#for h in 0..SHARED
        sum$h += weights[${h}u * THREADS + j] * value;
#end
      }
    }
  }
#for h in 0..SHARED
  {
    let weight = workgroup_sum(weight$h, lane, subgroup);
    slot_sums[lane] = sum$h;
    workgroupBarrier();
    if (lane < QUADS) {
      var sum = slot_sums[lane];
      for (var s = 1u; s < SLOTS; s++) { sum += slot_sums[s * QUADS + lane]; }
#if SPLIT
      sums[(group.y * HEADS + head0 + ${h}u) * QUADS + lane] = sum;
      if (lane == 0u) { scales[group.y * HEADS + head0 + ${h}u] = vec2f(most$h, weight); }
#else
#if SINKS
      let sink = sinks[head0 + ${h}u];
      let highest = max(most$h, sink);
      sum *= exp(most$h - highest);
      let all = weight * exp(most$h - highest) + exp(sink - highest);
      y[(head0 + ${h}u) * QUADS + lane] = ${X}_store(sum / all);
#else
#if MASK
      y[(head0 + ${h}u) * QUADS + lane] = ${X}_store(select(sum / weight, vec4f(), weight == 0.0));
#else
      y[(head0 + ${h}u) * QUADS + lane] = ${X}_store(sum / weight);
#endif
#endif
#endif
    }
    workgroupBarrier();
  }
#end
}
