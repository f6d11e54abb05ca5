// After arithmeticWgsl, before quantize.wgsl, dequantize.wgsl or tinygemm.wgsl. Numbers to codes and codes to
// numbers: four elements a thread, which are whole words. Each step rounds as torchao's does: the defines
// ROUND_... say to what, and are nothing for float32.
@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read> scales: array<u32>;
@group(0) @binding(2) var<storage, read> zeros: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<u32>;

struct Params {
  count: u32,  // elements of this dispatch
  first: u32,  // its first element
  length: u32, // elements of a block
  nothing: u32,
  quant_min: f32,
  quant_max: f32,
  middle: f32, // code whose value is a floating zero point
  offset: f32, // of codes
}
@group(1) @binding(0) var<uniform> params: Params;

fn scale_of(block: u32) -> f32 { return value_$SCALE(scales[block / $SCALE_PER_WORD], block); }

fn zero_of(block: u32) -> f32 {
#if ZERO == none
  return bitcast<f32>(0x80000000u | params.nothing);
#else
  return value_$ZERO(zeros[block / $ZERO_PER_WORD], block);
#endif
}

// Programs add block_of, what a block's elements have in common, and convert, what becomes of one of them.
const SIZE = ${OUT_SIZE}u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let start = ((group.y * groups.x + group.x) * 64u + thread) * 4u;
  var end = 0u; // of the block
  var block: vec2f;
  var word = 0u;
  for (var i = start; i < min(start + 4u, params.count); i++) {
    if (i >= end) {
      let index = (params.first + i) / params.length;
      block = block_of(index);
      end = (index + 1u) * params.length - params.first;
    }
    word |= bits_$OUT(convert(value_$IN(input[i / $IN_PER_WORD], i), block)) << (8u * SIZE * i % 32u);
    let next = i + 1u;
    if (next * SIZE % 4u == 0u || next == params.count) { output[i * SIZE / 4u] = word; word = 0u; }
  }
}
