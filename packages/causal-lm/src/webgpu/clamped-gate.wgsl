// After numbers.wgsl and stored.wgsl. (up + 1) * gate * sigmoid(alpha * gate) of gates and ups in turns, four results
// a thread; each step rounds as it is stored.
@group(0) @binding(0) var<storage, read> gate_up: array<${X}_4>;
@group(0) @binding(1) var<storage, read_write> y: array<${X}_4>;

struct Params { n: u32, limit: f32, alpha: f32 }
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i * 4u >= params.n) { return; }
  let a = ${X}_load(gate_up[2u * i]);
  let b = ${X}_load(gate_up[2u * i + 1u]);
  let gate = min(vec4f(a.xz, b.xz), vec4f(params.limit));
  let up = clamp(vec4f(a.yw, b.yw), vec4f(-params.limit), vec4f(params.limit));
  let z = ${X}_round(gate * params.alpha);
  let sigmoid = ${X}_round(1.0 / (1.0 + exp(min(-z, vec4f(80.0))))); // exp stays finite
  y[i] = ${X}_store(${X}_round(up + 1.0) * ${X}_round(gate * sigmoid));
}
