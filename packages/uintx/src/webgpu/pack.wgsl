// Alone. One shard of codes: those of $WIDTH bits from bit $SHIFT on, four bytes a thread.
@group(0) @binding(0) var<storage, read> codes: array<u32>;
@group(0) @binding(1) var<storage, read_write> bytes: array<u32>;

// Bytes, and those of one weight along the dimension, with all that lies behind it.
struct Params { count: u32, plane: u32 }
@group(1) @binding(0) var<uniform> params: Params;

const WIDTH = ${WIDTH}u;
const PER_BYTE = 8u / WIDTH;

fn byte(i: u32) -> u32 {
  var value = 0u;
  for (var j = 0u; j < PER_BYTE; j++) {
    let at = (i / params.plane * PER_BYTE + j) * params.plane + i % params.plane;
    value |= extractBits(codes[at / 4u], 8u * (at % 4u) + ${SHIFT}u, WIDTH) << (j * WIDTH);
  }
  return value;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = ((group.y * groups.x + group.x) * 64u + thread) * 4u;
  if (i >= params.count) { return; }
  bytes[i / 4u] = byte(i) | (byte(i + 1u) << 8u) | (byte(i + 2u) << 16u) | (byte(i + 3u) << 24u);
}
