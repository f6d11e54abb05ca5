// After numbers.wgsl and stored.wgsl. x * factor, then SOFTCAP * tanh(x / SOFTCAP) where there is one, four elements
// a thread; each step rounds as it is stored.
@group(0) @binding(0) var<storage, read> x: array<${X}_4>;
@group(0) @binding(1) var<storage, read_write> y: array<${X}_4>;

struct Params { n: u32, factor: f32 }
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i * 4u >= params.n) { return; }
  let scaled = ${X}_round(${X}_load(x[i]) * params.factor);
#if SOFTCAP
  let z = ${X}_round(scaled / ${SOFTCAP});
  let t = ${X}_round(tanh(clamp(z, vec4f(-15.0), vec4f(15.0)))); // some GPUs overflow beyond
  y[i] = ${X}_store(t * ${SOFTCAP});
#else
  y[i] = ${X}_store(scaled);
#endif
}
