// A few rows of the input, $COLUMNS at a time. LANES threads walk along K, a piece of four rows of the weight
// at a time, whose values serve all rows of the input.
@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let quad = (group.y * groups.x + group.x) * (THREADS / LANES) + thread / LANES;
  let row = min(4u * quad, (params.rows - 1u) / 4u * 4u);
#for m in 0..COLUMNS
  let m$m = group.z * ${COLUMNS}u + ${m}u;
  let x$m = min(m$m, params.m - 1u) * PIECES;
  var sums$m = vec4f();
#end
  for (var piece = thread % LANES; piece < PIECES; piece += LANES) {
    let q = qparams(params.first + row, piece / GROUP_PIECES);
    let scale = q.scale * SHARE;
    let zero = q.zero * SHARE - 24.0 * scale;
#for r in 0..4
    let w$r = words(row + ${r}u, piece);
#end
#for i in 0..4
    {
#for r in 0..4
      let low$r = low_codes(w$r[$i]) * scale[$r] + zero[$r];
      let high$r = high_codes(w$r[$i]) * scale[$r] + zero[$r];
#end
#for m in 0..COLUMNS
      {
        let x = x_of_word$i(4u * (x$m + piece));
        sums$m += vec4f(dot(low0, x.low) + dot(high0, x.high), dot(low1, x.low) + dot(high1, x.high),
                        dot(low2, x.low) + dot(high2, x.high), dot(low3, x.low) + dot(high3, x.high));
      }
#end
    }
#end
  }
#for m in 0..COLUMNS
  {
    let sums = sum_of_lanes(thread, sums$m) * WHOLE;
    if (thread % LANES == 0u && 4u * quad < params.rows && m$m < params.m) {
      write(m$m, params.first + row, params.first + params.rows, sums);
    }
  }
#end
}
