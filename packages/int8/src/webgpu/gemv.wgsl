// Products of up to $TOKENS tokens: a workgroup for each four rows of the weight, whose threads walk along
// K, 16 codes at a time. K is a multiple of 16.
const THREADS = ${THREADS}u;
const CHUNKS = $K / 16u;

#if CODES
alias Sum = vec4i;
fn weight_four(word: u32) -> u32 { return word; }
fn times(a: u32, b: u32) -> i32 { return dot4(a, b); }
#else
alias Sum = vec4f;
fn weight_four(word: u32) -> vec4f { return codes_of(word); }
fn times(a: vec4f, b: vec4f) -> f32 { return dot(a, b); }
#endif

// Sums of the four rows for each token, what is left of them to add up. Asymmetric activations have one
// token more, of ones: its sums are those of the weights' codes.
var<workgroup> partial: array<Sum, THREADS * $SUMS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
#if SUBGROUPS
        @builtin(subgroup_size) subgroup_size: u32, @builtin(subgroup_invocation_id) lane: u32,
#endif
        @builtin(local_invocation_index) thread: u32) {
  let first = (group.y * groups.x + group.x) * 4u;
#for r in 0..4
  let row_$r = min(first + $r, params.n - 1u);
#end
#for t in 0..SUMS
  var sum_$t: Sum;
#end
#for t in 0..TOKENS
  let x_$t = min(${t}u, params.m - 1u) * CHUNKS;
#end
#if !GROUPS
#for t in 0..TOKENS
  var x_sum_$t = 0.0;
#end
#endif
  for (var chunk = thread; chunk < CHUNKS; chunk += THREADS) {
#for r in 0..4
    let w_$r = weight[row_$r * CHUNKS + chunk];
#end
#if GROUPS
#for t in 0..TOKENS
    var part_$t: Sum;
    var x_sum_$t = 0.0;
#end
#endif
#if CODES
#for t in 0..TOKENS
    let c_$t = x[x_$t + chunk];
#end
#if ASYMMETRIC
    let c_$TOKENS = vec4u(0x01010101u);
#endif
#endif
#for j in 0..4
    {
#for r in 0..4
      let q_$r = weight_four(w_$r[$j]);
#end
#for t in 0..SUMS
      {
#if CODES
        let four = c_$t[$j];
#else
        let four = vec4f(x[(x_$t + chunk) * 4u + $j]);
#if ZERO
        x_sum_$t += four.x + four.y + four.z + four.w;
#endif
#endif
        ${INTO}_$t += Sum(times(q_0, four), times(q_1, four), times(q_2, four), times(q_3, four));
      }
#end
    }
#end
#if GROUPS
    let k = chunk * 16u;
    let scale = vec4f(scale_at(row_0, k), scale_at(row_1, k), scale_at(row_2, k), scale_at(row_3, k));
    let zero = vec4f(zero_at(row_0, k), zero_at(row_1, k), zero_at(row_2, k), zero_at(row_3, k));
#for t in 0..TOKENS
    sum_$t += scale * (part_$t - zero * x_sum_$t);
#end
#endif
  }
#if SUBTRACTS
  let zero = vec4f(zero_at(row_0, 0u), zero_at(row_1, 0u), zero_at(row_2, 0u), zero_at(row_3, 0u));
#for t in 0..TOKENS
  sum_$t -= zero * x_sum_$t;
#end
#endif
#if SUBGROUPS
  let parts = (THREADS + subgroup_size - 1u) / subgroup_size;
#for t in 0..SUMS
  sum_$t = subgroupAdd(sum_$t);
  if (lane == 0u) { partial[$t * THREADS + thread / subgroup_size] = sum_$t; }
#end
#else
  let parts = 1u;
#for t in 0..SUMS
  partial[$t * THREADS + thread] = sum_$t;
#end
  for (var step = THREADS / 2u; step > 0u; step /= 2u) {
    workgroupBarrier();
    if (thread < step) {
#for t in 0..SUMS
      partial[$t * THREADS + thread] += partial[$t * THREADS + thread + step];
#end
    }
  }
#endif
  workgroupBarrier();
  let token = thread / 4u;
  let r = thread % 4u;
  if (token < params.m && first + r < params.n) {
    finish(token, first + r, total(token, parts)[r], total($SUMS - 1u, parts)[r]);
  }
}

fn total(index: u32, parts: u32) -> Sum {
  var sum: Sum;
  for (var i = 0u; i < parts; i++) { sum += partial[index * THREADS + i]; }
  return sum;
}
