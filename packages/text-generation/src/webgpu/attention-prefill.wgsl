// After numbers.wgsl, stored.wgsl and attention-score.wgsl. Attention of many tokens: causal, unless FULL. A workgroup
// takes 16 of them and one head; it walks over tiles of $KEYS keys and values in shared memory, with a softmax that is
// corrected as it goes. Eight threads share a query: each has the scores of every eighth key, and every eighth quad of
// the result. Options: WINDOW, SOFTCAP, SINKS and MASK (at which bindings), as in the op's AttentionOptions; HIDDEN
// where a query may see none of a tile's keys.
@group(0) @binding(0) var<storage, read> q: array<${X}_4>;
@group(0) @binding(1) var<storage, read> keys: array<${KV}_4>;
@group(0) @binding(2) var<storage, read> values: array<${KV}_4>;
@group(0) @binding(3) var<storage, read_write> y: array<${X}_4>;
#if SINKS
@group(0) @binding(4) var<storage, read> sinks: array<f32>; // (H)
#endif
#if MASK
@group(0) @binding(${MASK}) var<storage, read> key_mask: array<i32>;
#endif

struct Params { tokens: u32, length: u32, scale: f32 }
@group(1) @binding(0) var<uniform> params: Params;

const HEADS = ${HEADS}u;
const GROUPS = ${GROUPS}u;
const QUADS = ${QUADS}u; // of a head
const KEYS = ${KEYS}u;
const QUERIES = 16u;
const THREADS = 128u;
const LOWEST = -3.0e38;

var<workgroup> queries: array<vec4f, QUERIES * QUADS>;
var<workgroup> tile: array<vec4f, KEYS * QUADS>; // keys, then values
var<workgroup> scores: array<f32, QUERIES * KEYS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let query0 = group.x * QUERIES;
  let head = group.y;
  let key_head = head / (HEADS / GROUPS);
  for (var i = lane; i < QUERIES * QUADS; i += THREADS) {
    let token = min(query0 + i / QUADS, params.tokens - 1u);
    queries[i] = ${X}_load(q[(token * HEADS + head) * QUADS + i % QUADS]);
  }
  let query = lane / 8u;
  let part = lane % 8u;
  // Keys that this query may see, and that any query of the workgroup may.
#if FULL
  let past = max(params.length, params.tokens) - params.tokens;
#if WINDOW
  let visible = min(past + query0 + query + ${WINDOW}u, params.length);
  let end = min(past + query0 + QUERIES - 1u + ${WINDOW}u, params.length);
#else
  let visible = params.length;
  let end = params.length;
#endif
#else
  let past = params.length - params.tokens;
  let visible = past + min(query0 + query, params.tokens - 1u) + 1u;
  let end = past + min(query0 + QUERIES, params.tokens);
#endif
#if WINDOW
  let lowest = max(past + query0 + query + 1u, ${WINDOW}u) - ${WINDOW}u; // the first key that is near enough
  let begin = (max(past + query0 + 1u, ${WINDOW}u) - ${WINDOW}u) / KEYS * KEYS;
#endif
  var most = LOWEST;
  var weight = 0.0;
#for i in 0..PARTS
  var sum$i = vec4f();
#end
#if WINDOW
  for (var key0 = begin; key0 < end; key0 += KEYS) {
#else
  for (var key0 = 0u; key0 < end; key0 += KEYS) {
#endif
    workgroupBarrier();
    for (var i = lane; i < KEYS * QUADS; i += THREADS) {
      let key = min(key0 + i / QUADS, end - 1u);
      tile[i] = ${KV}_load(keys[(key * GROUPS + key_head) * QUADS + i % QUADS]);
    }
    workgroupBarrier();
    for (var j = part; j < KEYS; j += 8u) {
      var score = 0.0;
      for (var c = 0u; c < QUADS; c++) {
        score += dot(queries[query * QUADS + c], tile[j * QUADS + c]);
      }
      score = score_of(score, params.scale);
#if HIDDEN
      var is_seen = key0 + j < visible;
#if WINDOW
      is_seen = is_seen && key0 + j >= lowest;
#endif
#if MASK
      is_seen = is_seen && key_mask[min(key0 + j, end - 1u)] != 0;
#endif
      scores[query * KEYS + j] = select(LOWEST, score, is_seen);
#else
      scores[query * KEYS + j] = select(LOWEST, score, key0 + j < visible);
#endif
    }
    workgroupBarrier();
    for (var i = lane; i < KEYS * QUADS; i += THREADS) {
      let key = min(key0 + i / QUADS, end - 1u);
      tile[i] = ${KV}_load(values[(key * GROUPS + key_head) * QUADS + i % QUADS]);
    }
    workgroupBarrier();
    var highest = most;
    for (var j = 0u; j < KEYS; j++) { highest = max(highest, scores[query * KEYS + j]); }
    let faded = exp(most - highest);
    most = highest;
    weight *= faded;
#for i in 0..PARTS
    sum$i *= faded;
#end
    let count = min(KEYS, max(visible, key0) - key0);
    for (var j = 0u; j < count; j++) {
#if HIDDEN
      let score = scores[query * KEYS + j];
      let share = select(exp(score - most), 0.0, score == LOWEST);
#else
      let share = exp(scores[query * KEYS + j] - most);
#endif
      weight += share;
#for i in 0..PARTS
      sum$i += share * tile[j * QUADS + min(part + 8u * ${i}u, QUADS - 1u)];
#end
    }
  }
  let token = query0 + query;
  if (token >= params.tokens) { return; }
#if SINKS
  let highest = max(most, sinks[head]);
  let kept = exp(most - highest);
  weight = weight * kept + exp(sinks[head] - highest);
#for i in 0..PARTS
  sum$i *= kept;
#end
#endif
#if HIDDEN
  if (weight == 0.0) { weight = 1.0; } // nothing was seen
#endif
#for i in 0..PARTS
  if (part + 8u * ${i}u < QUADS) {
    y[(token * HEADS + head) * QUADS + part + 8u * ${i}u] = ${X}_store(sum$i / weight);
  }
#end
}
