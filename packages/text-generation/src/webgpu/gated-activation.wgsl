// After numbers.wgsl and stored.wgsl. activation(gate) * up, four elements a thread; ACTIVATION is silu, gelu or
// gelu_tanh.
@group(0) @binding(0) var<storage, read> gate: array<${X}_4>;
@group(0) @binding(1) var<storage, read> up: array<${X}_4>;
@group(0) @binding(2) var<storage, read_write> y: array<${X}_4>;

struct Params { n: u32 }
#if ONE_ROW
const params = Params(${SIZE}u);
#else
@group(1) @binding(0) var<uniform> params: Params;
#endif

#if ACTIVATION == gelu
// Abramowitz and Stegun 7.1.26: an error of 1.5e-7 at most.
fn erf(x: vec4f) -> vec4f {
  let t = 1.0 / (1.0 + 0.3275911 * abs(x));
  let poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t
    + 0.254829592) * t;
  return sign(x) * (1.0 - poly * exp(-min(x * x, vec4f(80.0))));
}

#endif
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i * 4u >= params.n) { return; }
  let x = ${X}_load(gate[i]);
#if ACTIVATION == silu
  let silu = ${X}_round(x / (1.0 + exp(min(-x, vec4f(80.0))))); // exp stays finite
  y[i] = ${X}_store(silu * ${X}_load(up[i]));
#endif
#if ACTIVATION == gelu
  let gelu = ${X}_round(0.5 * x * (1.0 + erf(x * 0.7071067811865476)));
  y[i] = ${X}_store(gelu * ${X}_load(up[i]));
#endif
#if ACTIVATION == gelu_tanh
  // (1 + tanh(z)) / 2 is 1 - 1 / (exp(2 z) + 1), which stays finite.
  let z = clamp(0.7978845608028654 * (x + 0.044715 * x * x * x), vec4f(-20.0), vec4f(20.0));
  let gelu = ${X}_round(x * (1.0 - 1.0 / (exp(2.0 * z) + 1.0)));
  y[i] = ${X}_store(gelu * ${X}_load(up[i]));
#endif
}
