// After numbers.wgsl and stored.wgsl. The best K of a row's logits, one row a thread, and their shares.
@group(0) @binding(0) var<storage, read> logits: array<u32>;
@group(0) @binding(1) var<storage, read_write> ids: array<i32>; // (T, K)
@group(0) @binding(2) var<storage, read_write> weights: array<f32>; // (T, K)
@group(0) @binding(3) var<storage, read_write> all: array<f32>; // (T, E)

struct Params { tokens: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const COUNT = ${COUNT}u; // experts
const K = ${K}u;

fn logit(i: u32) -> f32 { return ${X}_at(logits[i / ${X}_per_word], i); }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let token = (group.y * groups.x + group.x) * 64u + lane;
  if (token >= params.tokens) { return; }
  let first = token * COUNT;
  for (var e = 0u; e < COUNT; e++) { all[first + e] = 0.0; }
  var most = 0.0;
  var chosen = 0.0; // the sum of the chosen ones' powers
  for (var i = 0u; i < K; i++) {
    var best = -1;
    var best_score = 0.0;
    for (var e = 0u; e < COUNT; e++) {
      // Powers are positive: those with one are taken.
      if (all[first + e] > 0.0) { continue; }
      let score = logit(first + e);
      if (best < 0 || score > best_score) {
        best = i32(e);
        best_score = score;
      }
    }
    if (i == 0u) { most = best_score; }
    let power = max(exp(best_score - most), 1e-38);
    chosen += power;
    ids[token * K + i] = best;
    weights[token * K + i] = power;
    all[first + u32(best)] = power;
  }
#if NORMALIZED
  let sum = chosen;
#else
  var sum = 0.0;
  for (var e = 0u; e < COUNT; e++) { sum += exp(logit(first + e) - most); }
#endif
  for (var i = 0u; i < K; i++) {
    let share = weights[token * K + i] / sum;
    weights[token * K + i] = share;
    all[first + u32(ids[token * K + i])] = share;
  }
}
