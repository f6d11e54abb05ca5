// After int4-words.wgsl. Codes as bytes, four a thread. Row r of each N comes from row r of each STORED_ROWS.
@group(0) @binding($bytes_BINDING) var<storage, read_write> bytes_: array<u32>;

const STORED_ROWS = ${STORED_ROWS}u;

fn byte(i: u32) -> u32 {
  let row = i / K;
  return code(row / N * STORED_ROWS + row % N, i % K);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = ((group.y * groups.x + group.x) * 64u + thread) * 4u;
  if (i >= params.m * K) { return; }
  bytes_[i / 4u] = byte(i) | (byte(i + 1u) << 8u) | (byte(i + 2u) << 16u) | (byte(i + 3u) << 24u);
}
