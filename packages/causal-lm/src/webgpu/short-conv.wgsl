// After numbers.wgsl and stored.wgsl. A causal convolution over rows of channels, one result a thread.
@group(0) @binding(0) var<storage, read> history: array<u32>; // (capacity, C)
@group(0) @binding(1) var<storage, read> weight: array<f32>; // (C, L)
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // (T, C)
#if BIAS
@group(0) @binding(3) var<storage, read> bias: array<f32>; // (C)
#endif

struct Params { tokens: u32, end: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const CHANNELS = ${CHANNELS}u;
const TAPS = ${TAPS}u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= params.tokens * CHANNELS) { return; }
  let channel = i % CHANNELS;
  let position = params.end - params.tokens + i / CHANNELS;
#if BIAS
  var sum = bias[channel];
#else
  var sum = 0.0;
#endif
  for (var l = 0u; l < TAPS; l++) {
    if (position + l + 1u < TAPS) { continue; } // before the first token
    let at = (position + l + 1u - TAPS) * CHANNELS + channel;
    sum += weight[channel * TAPS + l] * ${X}_at(history[at / ${X}_per_word], at);
  }
  y[i] = sum;
}
