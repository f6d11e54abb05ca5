// After numbers.wgsl and stored.wgsl. x[t] + table[start + t], four elements a thread.
@group(0) @binding(0) var<storage, read> x: array<${X}_4>;
@group(0) @binding(1) var<storage, read> table: array<${X}_4>;
@group(0) @binding(2) var<storage, read_write> y: array<${X}_4>;

struct Params { quads: u32, width: u32, start: u32 } // quads of all rows, and of one
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.quads) { return; }
  y[i] = ${X}_store(${X}_load(x[i]) + ${X}_load(table[params.start * params.width + i]));
}
