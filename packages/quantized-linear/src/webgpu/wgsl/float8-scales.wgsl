// After arithmeticWgsl. Scales (E, G, N) as float8_e4m3fn and one float32 for each column: first these, then the
// quotients.
#if PEAKS
@group(0) @binding(0) var<storage, read> scale: array<u32>;
@group(0) @binding(1) var<storage, read_write> peaks: array<f32>;
#if ZERO
@group(0) @binding(2) var<storage, read> zero: array<u32>;
#endif
#else
@group(0) @binding(0) var<storage, read> scale: array<u32>;
@group(0) @binding(1) var<storage, read> peaks: array<f32>;
@group(0) @binding(2) var<storage, read_write> codes: array<u32>;
#endif

struct Params { count: u32, groups: u32, n: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const PER_WORD = 4u / ${SIZE}u;
fn scale_at(i: u32) -> f32 { return value_$DTYPE(scale[i / PER_WORD], i); }

#if PEAKS
// A zero point that is not zero cannot be refused from here: it makes a row's scale NaN.
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let row = (group.y * groups.x + group.x) * 64u + thread;
  if (row >= params.count) { return; }
  let first = row / params.n * params.groups * params.n + row % params.n;
  var peak = 0.0;
  for (var g = 0u; g < params.groups; g++) {
    let i = first + g * params.n;
    peak = max(peak, abs(scale_at(i)));
#if ZERO
    if (value_$DTYPE(zero[i / PER_WORD], i) != 0.0) { peak = nan(); break; }
#endif
  }
  peaks[row] = peak;
}
#else
// Bits of x, at most 1, as float8_e4m3fn; ties to even.
fn float8_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let magnitude = bits & 0x7fffffffu;
  let exponent = max(i32(magnitude >> 23u) - 127, -6);
  // Steps of the last of three bits behind the leading one; 8 of them are the leading one itself.
  let steps = u32(round(abs(x) * bitcast<f32>(u32(130 - exponent) << 23u)));
  return ((bits >> 24u) & 0x80u) | (u32(exponent + 6) * 8u + steps);
}

fn code(i: u32) -> u32 {
  let row = i / (params.groups * params.n) * params.n + i % params.n;
  if (i >= params.count || peaks[row] == 0.0) { return 0u; }
  return float8_bits(divide(scale_at(i), peaks[row]));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = ((group.y * groups.x + group.x) * 64u + thread) * 4u;
  if (i >= params.count) { return; }
  codes[i / 4u] = code(i) | (code(i + 1u) << 8u) | (code(i + 2u) << 16u) | (code(i + 3u) << 24u);
}
#endif
