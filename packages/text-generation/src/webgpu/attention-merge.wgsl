// After numbers.wgsl and stored.wgsl. Joins the parts of attention-decode: a workgroup for each head.
@group(0) @binding(0) var<storage, read> sums: array<vec4f>; // (parts, H, D)
@group(0) @binding(1) var<storage, read> scales: array<vec2f>; // (parts, H): largest score, sum of weights
@group(0) @binding(2) var<storage, read_write> y: array<${X}_4>;
#if SINKS
@group(0) @binding(3) var<storage, read> sinks: array<f32>; // (H)
#endif

struct Params { parts: u32, heads: u32, quads: u32 }
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let head = group.x;
  var most = scales[head].x;
  for (var part = 1u; part < params.parts; part++) {
    most = max(most, scales[part * params.heads + head].x);
  }
#if SINKS
  most = max(most, sinks[head]);
#endif
  for (var quad = lane; quad < params.quads; quad += 64u) {
    var sum = vec4f();
#if SINKS
    var weight = exp(sinks[head] - most);
#else
    var weight = 0.0;
#endif
    for (var part = 0u; part < params.parts; part++) {
      let at = part * params.heads + head;
      let factor = exp(scales[at].x - most);
      sum += factor * sums[at * params.quads + quad];
      weight += factor * scales[at].y;
    }
#if MASK
    y[head * params.quads + quad] = ${X}_store(select(sum / weight, vec4f(), weight == 0.0));
#else
    y[head * params.quads + quad] = ${X}_store(sum / weight);
#endif
  }
}
