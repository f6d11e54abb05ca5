// Alone. Codes of $BITS bits as bytes, four a thread.
@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var<storage, read_write> codes: array<u32>;

struct Params { rows: u32, k: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const BITS = ${BITS}u;

fn byte(i: u32) -> u32 {
  let bit = i % params.k * BITS;
  let at = i / params.k * (params.k * BITS / 32u) + bit / 32u;
  // Twice, as a word cannot be shifted by 32 bits.
  let code = (words[at] >> (bit % 32u)) | ((words[at + 1u] << 1u) << (31u - bit % 32u));
#if SIGNED
  return bitcast<u32>(extractBits(bitcast<i32>(code), 0u, BITS)) & 0xffu;
#else
  return extractBits(code, 0u, BITS);
#endif
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = ((group.y * groups.x + group.x) * 64u + thread) * 4u;
  if (i >= params.rows * params.k) { return; }
  codes[i / 4u] = byte(i) | (byte(i + 1u) << 8u) | (byte(i + 2u) << 16u) | (byte(i + 3u) << 24u);
}
