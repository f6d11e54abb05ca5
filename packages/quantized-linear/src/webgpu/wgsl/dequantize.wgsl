// Last, after a decoder. The values of a weight, of $Y_DTYPE: a thread writes two neighbours of a row.
@group(0) @binding($Y_BINDING) var<storage, read_write> y_: array<u32>;

const PAIRS = (K + 1u) / 2u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  let row = i / PAIRS;
  if (row >= params.rows) { return; }
  let k = i % PAIRS * 2u;
  let at = row * K + k;
  let first = value(row, k);
  let second = value(row, k + 1u);
#if Y_DTYPE == float32
  y_[at] = bitcast<u32>(first);
  if (k + 1u < K) { y_[at + 1u] = bitcast<u32>(second); }
#else
  y_[at / 2u] = $Y_BITS(first) | ($Y_BITS(second) << 16u);
#endif
}
