// Last. One row of the input. LANES threads share the chunks of four rows of the weight.
#if HALF
// Sums of sixteen products are in 16 bits, two of them in all.
fn dot_chunk(w: Chunk, x0: Eight, x1: Eight, x2: Eight, x3: Eight) -> f32 {
  let two = add_products3(w, x3, add_products2(w, x2, add_products1(w, x1, add_products0(w, x0, vec2<H>()))));
  return f32(two.x) + f32(two.y);
}

fn largest(x: Eight) -> vec4<H> { return max(abs(x.low), abs(x.high)); }
fn scaled(x: Eight, factor: H) -> Eight { return Eight(x.low * factor, x.high * factor); }

const OFFSET = 0.0;
#else
const OFFSET = LEVEL_OFFSET;

fn dot_levels(w: Levels, x: Eight) -> f32 { return dot(w.low, x.low) + dot(w.high, x.high); }

#if EIGHTS == 4
fn dot_chunk(w: Chunk, x0: Eight, x1: Eight, x2: Eight, x3: Eight) -> f32 {
  return dot_levels(levels0(w), x0) + dot_levels(levels1(w), x1) + dot_levels(levels2(w), x2) + dot_levels(levels3(w), x3);
}
#else
fn dot_chunk(w: Chunk, x0: Eight, x1: Eight) -> f32 {
  return dot_levels(levels0(w), x0) + dot_levels(levels1(w), x1);
}
#endif
#endif

#if EIGHTS == 4
fn sum_of(x0: Eight, x1: Eight, x2: Eight, x3: Eight) -> f32 {
  let four = ((x0.low + x0.high) + (x1.low + x1.high)) + ((x2.low + x2.high) + (x3.low + x3.high));
  return (f32(four.x) + f32(four.y)) + (f32(four.z) + f32(four.w));
}
#else
fn sum_of(x0: Eight, x1: Eight) -> f32 {
  let four = (x0.low + x0.high) + (x1.low + x1.high);
  return (f32(four.x) + f32(four.y)) + (f32(four.z) + f32(four.w));
}
#endif

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let quad = (group.y * groups.x + group.x) * (THREADS / LANES) + thread / LANES;
  let row = min(4u * quad, (params.rows - 1u) / 4u * 4u);
#for s in 0..WEIGHTS
  var sums$s = vec4f();
#end
#if NORM
  var squares = 0.0;
#endif
  // A load comes before all that need not wait for it.
  var chunk = thread % LANES;
#for s in 0..WEIGHTS
#if SECOND
  is_second = $s == 1;
#endif
#for r in 0..4
  var w${s}_$r = load_chunk(row + ${r}u, chunk);
#end
  var q$s = qparams(params.first + row, group_of(chunk));
#end
  while (chunk < CHUNKS) {
#for i in 0..EIGHTS
    var x$i = inputs$i(${EIGHTS}u * chunk);
#end
#if NORM
#for i in 0..EIGHTS
    squares += squares_of(${EIGHTS}u * chunk + ${i}u);
#end
#endif
#if HALF
    // Sums of sixteen products stay below the largest float16.
    let is_large = any(max(max(largest(x0), largest(x1)), max(largest(x2), largest(x3))) > vec4<H>(500.0));
    if (is_large) {
#for i in 0..EIGHTS
      x$i = scaled(x$i, H(0.0078125));
#end
    }
    let unscale = select(1.0, 128.0, is_large);
#else
    const unscale = 1.0;
#endif
#if EIGHTS == 4
#for s in 0..WEIGHTS
#for r in 0..4
    let dot${s}_$r = dot_chunk(w${s}_$r, x0, x1, x2, x3);
#end
#end
#if USES_SUM
    let sum = sum_of(x0, x1, x2, x3);
#endif
#else
#for s in 0..WEIGHTS
#for r in 0..4
    let dot${s}_$r = dot_chunk(w${s}_$r, x0, x1);
#end
#end
#if USES_SUM
    let sum = sum_of(x0, x1);
#endif
#endif
#for s in 0..WEIGHTS
#if USES_SUM
    sums$s += (q$s.scale * (vec4f(dot${s}_0, dot${s}_1, dot${s}_2, dot${s}_3) - OFFSET * sum) + q$s.zero * sum) * unscale;
#else
    sums$s += q$s.scale * vec4f(dot${s}_0, dot${s}_1, dot${s}_2, dot${s}_3) * unscale;
#endif
#end
#if HAS_NEXT
    chunk += LANES;
    if (chunk >= CHUNKS) { break; }
#for s in 0..WEIGHTS
#if SECOND
    is_second = $s == 1;
#endif
#for r in 0..4
    w${s}_$r = load_chunk(row + ${r}u, chunk);
#end
    q$s = qparams(params.first + row, group_of(chunk));
#end
#else
    break;
#endif
  }
#for s in 0..WEIGHTS
  sums$s = sum_of_lanes(thread, sums$s);
#end
#if NORM
  let norm_scale = inverseSqrt(sum_of_lanes(thread, vec4f(squares)).x / f32(K) + $NORM_EPS);
#for s in 0..WEIGHTS
  sums$s *= norm_scale;
#end
#endif
  if (thread % LANES == 0u && 4u * quad < params.rows) {
#if SECOND
    write(0u, params.first + row, params.first + params.rows, joined(sums0, sums1));
#else
    write(0u, params.first + row, params.first + params.rows, sums0);
#endif
  }
}
