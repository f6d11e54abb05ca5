// After numbers.wgsl and stored.wgsl. sum(weights[t, s] * outputs[s, t]) over s, four elements a thread.
@group(0) @binding(0) var<storage, read> outputs: array<${X}_4>; // (S, T, H)
@group(0) @binding(1) var<storage, read> weights: array<u32>; // (T, S)
@group(0) @binding(2) var<storage, read_write> y: array<${X}_4>; // (T, H)

struct Params { count: u32, tokens: u32, quads: u32 }
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.tokens * params.quads) { return; }
  let token = i / params.quads;
  var sum = vec4f();
  for (var s = 0u; s < params.count; s++) {
    let at = token * params.count + s;
    let share = ${W}_at(weights[at / ${W}_per_word], at);
    sum += share * ${X}_load(outputs[s * params.tokens * params.quads + i]);
  }
  y[i] = ${X}_store(sum);
}
