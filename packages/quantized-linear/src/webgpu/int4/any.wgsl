// Any group size: a thread sums up four rows of the weight for one row of the input, code by code.
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
    let q = qparams(params.first + row, k / GROUP_SIZE);
    let codes = vec4u(code(row, k), code(row + 1u, k), code(row + 2u, k), code(row + 3u, k));
    sums += ((vec4f(codes) - 8.0) * q.scale + q.zero) * x1(m * K + k);
  }
  write(m, params.first + row, params.first + params.rows, sums);
}
