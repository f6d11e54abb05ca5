// Alone. Codes 0..15 in bytes to pairs of signed codes in bytes, and back: eight codes a thread.
@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> output: array<u32>;

struct Params { words: u32, codes: u32 }
@group(1) @binding(0) var<uniform> params: Params;

// Four codes in the bytes of a word as 16 bits, and back.
fn packed(word: u32) -> u32 {
  let pairs = word & 0x0f0f0f0fu;
  let bytes = (pairs | (pairs >> 4u)) & 0x00ff00ffu;
  return (bytes | (bytes >> 8u)) & 0xffffu;
}

fn spread(half: u32) -> u32 {
  let bytes = (half | (half << 8u)) & 0x00ff00ffu;
  return (bytes | (bytes << 4u)) & 0x0f0f0f0fu;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  if (i >= params.words) { return; }
  let last = params.codes - 1u; // of the words of codes
#if PACK
  output[i] = (packed(input[2u * i]) | (packed(input[min(2u * i + 1u, last)]) << 16u)) ^ 0x88888888u;
#else
  let word = input[i] ^ 0x88888888u;
  output[2u * i] = spread(word & 0xffffu);
  if (2u * i < last) { output[2u * i + 1u] = spread(word >> 16u); }
#endif
}
