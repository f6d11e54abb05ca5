// After numbers.wgsl, stored.wgsl and reduce.wgsl. log(sum(exp(row))) - row[target]. A workgroup makes one row.
@group(0) @binding(0) var<storage, read> logits: array<u32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> nll: array<f32>;

struct Params { rows: u32, vocabulary: u32 }
@group(1) @binding(0) var<uniform> params: Params;

fn logit(i: u32) -> f32 { return ${X}_at(logits[i / ${X}_per_word], i); }

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
#if SUBGROUPS
        @builtin(subgroup_size) subgroup: u32,
#endif
        @builtin(local_invocation_index) lane: u32) {
#if !SUBGROUPS
  let subgroup = 1u;
#endif
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) { return; }
  let first = row * params.vocabulary;
  var most = -3.4e38;
  for (var i = lane; i < params.vocabulary; i += THREADS) { most = max(most, logit(first + i)); }
  most = workgroup_max(most, lane, subgroup);
  var sum = 0.0;
  for (var i = lane; i < params.vocabulary; i += THREADS) { sum += exp(logit(first + i) - most); }
  sum = workgroup_sum(sum, lane, subgroup);
  if (lane == 0u) { nll[row] = most - logit(first + targets[row]) + log(sum); }
}
