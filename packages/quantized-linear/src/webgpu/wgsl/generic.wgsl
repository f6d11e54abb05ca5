// Last. Any layout and group size: a thread sums up four rows of the weight for one row of the input, number by
// number.
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let i = (group.y * groups.x + group.x) * 64u + thread;
  let quads = (params.rows + 3u) / 4u;
  let row = i % quads * 4u;
  let m = i / quads;
  if (m >= params.m) { return; }
  var sums = vec4f();
  for (var k = 0u; k < K; k++) {
    sums += vec4f(value(row, k), value(row + 1u, k), value(row + 2u, k), value(row + 3u, k)) * x1(m * K + k);
  }
  write(m, params.first + row, params.first + params.rows, sums);
}
