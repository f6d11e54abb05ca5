// silu(gate) * up, four elements a thread.
@group(0) @binding(0) var<storage, read> gate: array<${X}_4>;
@group(0) @binding(1) var<storage, read> up: array<${X}_4>;
@group(0) @binding(2) var<storage, read_write> y: array<${X}_4>;

struct Params { n: u32 }
#if ONE_ROW
const params = Params(${SIZE}u);
#else
@group(1) @binding(0) var<uniform> params: Params;
#endif

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i * 4u >= params.n) { return; }
  let x = ${X}_load(gate[i]);
  let silu = ${X}_round(x / (1.0 + exp(min(-x, vec4f(80.0))))); // exp stays finite
  y[i] = ${X}_store(silu * ${X}_load(up[i]));
}
