// After numbers.wgsl and stored.wgsl. Turns pairs of a head's elements by the angle of their position, a pair a
// thread. With WIDTH, heads have so many elements, pairs are STEP apart, and their elements APART.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> cosines: array<f32>;
@group(0) @binding(2) var<storage, read> sines: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

struct Params { pairs: u32, heads: u32, half: u32, start: u32 }
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.pairs) { return; }
  let row = i / params.half; // of a token's head
  let pair = i % params.half;
#if WIDTH
  let at = row * ${WIDTH}u + pair * ${STEP}u;
  let other = at + ${APART}u;
#else
  let at = row * 2u * params.half + pair;
#endif
  let angle = (params.start + row / params.heads) * params.half + pair;
  let a = x[at];
#if WIDTH
  let b = x[other];
#else
  let b = x[at + params.half];
#endif
  let products = ${ROUND}_round(vec4f(a, b, b, a) * vec4f(cosines[angle], sines[angle], cosines[angle], sines[angle]));
  y[at] = products.x - products.y;
#if WIDTH
  y[other] = products.z + products.w;
#else
  y[at + params.half] = products.z + products.w;
#endif
}
