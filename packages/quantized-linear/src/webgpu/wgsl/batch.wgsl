// Last. A few rows of the input, $COLUMNS at a time. LANES threads share the chunks of four rows of the weight,
// whose values serve all rows of the input.
@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let quad = (group.y * groups.x + group.x) * (THREADS / LANES) + thread / LANES;
  let row = min(4u * quad, (params.rows - 1u) / 4u * 4u);
#for m in 0..COLUMNS
  let m$m = group.z * ${COLUMNS}u + ${m}u;
  let x$m = min(m$m, params.m - 1u) * CHUNKS;
  var sums$m = vec4f();
#end
  for (var chunk = thread % LANES; chunk < CHUNKS; chunk += LANES) {
    let q = qparams(params.first + row, group_of(chunk));
    let scale = q.scale * SHARE;
    let zero = q.zero * SHARE - LEVEL_OFFSET * scale;
#for r in 0..4
    let w$r = load_chunk(row + ${r}u, chunk);
#end
#for i in 0..EIGHTS
    {
#for r in 0..4
      let eight$r = levels$i(w$r);
      let low$r = eight$r.low * scale[$r] + zero[$r];
      let high$r = eight$r.high * scale[$r] + zero[$r];
#end
#for m in 0..COLUMNS
      {
        let x = inputs$i(${EIGHTS}u * (x$m + chunk));
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
