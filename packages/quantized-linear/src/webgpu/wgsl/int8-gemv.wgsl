// Last. Up to $ROWS rows of an input of int8: a workgroup for each four rows of the weight, whose threads share K,
// 16 codes at a time.
const THREADS = ${THREADS}u;

#if ONE_GROUP
alias Sum = vec4i;
#else
alias Sum = vec4f;
const GROUP_SIXTEENS = GROUP_SIZE / 16u;
#endif

// Sums of the four rows of the weight for each row of the input, what is left of them to add up. Where the input
// has zero points, it has one row more, of ones: its sums are those of levels.
var<workgroup> partial: array<Sum, THREADS * $RESULTS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
#if SUBGROUPS
        @builtin(subgroup_size) subgroup_size: u32, @builtin(subgroup_invocation_id) lane: u32,
#endif
        @builtin(local_invocation_index) thread: u32) {
  let first = (group.y * groups.x + group.x) * 4u;
#for r in 0..4
  let row_$r = min(first + $r, params.rows - 1u);
#end
#for t in 0..RESULTS
  var sum_$t: Sum;
#end
#for t in 0..ROWS
  let x_$t = min(${t}u, params.m - 1u);
#end
  for (var i = thread; i < SIXTEENS; i += THREADS) {
#for r in 0..4
    let w_$r = int8_codes(row_$r, i);
#end
#for t in 0..ROWS
    let c_$t = x_codes(x_$t, i);
#end
#if ASYMMETRIC
    let c_$ROWS = vec4u(0x01010101u);
#endif
#if !ONE_GROUP
#for t in 0..SUMS
    var part_$t: vec4i;
#end
#endif
#for j in 0..4
#for t in 0..SUMS
    ${INTO}_$t += vec4i(dot4(w_0[$j], c_$t[$j]), dot4(w_1[$j], c_$t[$j]), dot4(w_2[$j], c_$t[$j]), dot4(w_3[$j], c_$t[$j]));
#end
#end
#if !ONE_GROUP
    let q = qparams(params.first + min(first, (params.rows - 1u) / 4u * 4u), i / GROUP_SIXTEENS);
#for t in 0..ROWS
    let ones_$t = dot4(c_$t.x, 0x01010101u) + dot4(c_$t.y, 0x01010101u) + dot4(c_$t.z, 0x01010101u) + dot4(c_$t.w, 0x01010101u);
    sum_$t += share(x_$t, q, part_$t, $LEVEL_SUMS, f32(ones_$t), 16u);
#end
#endif
  }
#if SUBGROUPS
  let parts = (THREADS + subgroup_size - 1u) / subgroup_size;
#for t in 0..RESULTS
  sum_$t = subgroupAdd(sum_$t);
  if (lane == 0u) { partial[$t * THREADS + thread / subgroup_size] = sum_$t; }
#end
#else
  let parts = 1u;
#for t in 0..RESULTS
  partial[$t * THREADS + thread] = sum_$t;
#end
  for (var step = THREADS / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) {
#for t in 0..RESULTS
      partial[$t * THREADS + thread] += partial[$t * THREADS + thread + step];
#end
    }
  }
#endif
  workgroupBarrier();
  if (thread < params.m && first < params.rows) {
#if ONE_GROUP
    let y = scaled(thread, params.first + first, total(thread, parts), total($RESULTS - 1u, parts));
#else
    let y = total(thread, parts);
#endif
    write(thread, params.first + first, params.first + params.rows, y);
  }
}

fn total(index: u32, parts: u32) -> Sum {
  var sum: Sum;
  for (var i = 0u; i < parts; i++) { sum += partial[index * THREADS + i]; }
  return sum;
}
