// One row of the input. LANES threads walk along K, a piece of four rows of the weight at a time.

#if HALF
fn add_products(word: u32, x: Eight, sum: vec2<H>) -> vec2<H> {
  let rest = word >> 8u;
  let first = fma(second_pair(word), vec2<H>(x.low.y, x.high.y), fma(first_pair(word), vec2<H>(x.low.x, x.high.x), sum));
  return fma(second_pair(rest), vec2<H>(x.low.w, x.high.w), fma(first_pair(rest), vec2<H>(x.low.z, x.high.z), first));
}

// Sixteen products each are summed in 16 bits, two sums in all.
fn dot_piece(w: vec4u, x0: Eight, x1: Eight, x2: Eight, x3: Eight) -> f32 {
  let two = add_products(w.w, x3, add_products(w.z, x2, add_products(w.y, x1, add_products(w.x, x0, vec2<H>()))));
  return f32(two.x) + f32(two.y);
}

fn largest(x: Eight) -> vec4<H> { return max(abs(x.low), abs(x.high)); }
fn scaled(x: Eight, factor: H) -> Eight { return Eight(x.low * factor, x.high * factor); }

const OFFSET = 0.0;
#else
fn dot_word(word: u32, x: Eight) -> f32 {
  return dot(low_codes(word), x.low) + dot(high_codes(word), x.high);
}

fn dot_piece(w: vec4u, x0: Eight, x1: Eight, x2: Eight, x3: Eight) -> f32 {
  return dot_word(w.x, x0) + dot_word(w.y, x1) + dot_word(w.z, x2) + dot_word(w.w, x3);
}

const OFFSET = 24.0; // dot_piece sees code - 8 with this added
#endif

fn sum_of(x0: Eight, x1: Eight, x2: Eight, x3: Eight) -> f32 {
  let four = ((x0.low + x0.high) + (x1.low + x1.high)) + ((x2.low + x2.high) + (x3.low + x3.high));
  return (f32(four.x) + f32(four.y)) + (f32(four.z) + f32(four.w));
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let quad = (group.y * groups.x + group.x) * (THREADS / LANES) + thread / LANES;
  let row = min(4u * quad, (params.rows - 1u) / 4u * 4u);
  var sums = vec4f();
  // A load comes before all that need not wait for it.
  var piece = thread % LANES;
#for r in 0..4
  var w$r = words(row + ${r}u, piece);
#end
  var q = qparams(params.first + row, piece / GROUP_PIECES);
  while (piece < PIECES) {
#for i in 0..4
    var x$i = x_of_word$i(4u * piece);
#end
#if HALF
    // Sums of sixteen products stay below the largest float16.
    let is_large = any(max(max(largest(x0), largest(x1)), max(largest(x2), largest(x3))) > vec4<H>(500.0));
    if (is_large) {
#for i in 0..4
      x$i = scaled(x$i, H(0.0078125));
#end
    }
    let unscale = select(1.0, 128.0, is_large);
#else
    const unscale = 1.0;
#endif
#for r in 0..4
    let dot$r = dot_piece(w$r, x0, x1, x2, x3);
#end
#if USES_SUM
    let sum = sum_of(x0, x1, x2, x3);
    sums += (q.scale * (vec4f(dot0, dot1, dot2, dot3) - OFFSET * sum) + q.zero * sum) * unscale;
#else
    sums += q.scale * vec4f(dot0, dot1, dot2, dot3) * unscale;
#endif
#if HAS_NEXT
    piece += LANES;
    if (piece >= PIECES) { break; }
#for r in 0..4
    w$r = words(row + ${r}u, piece);
#end
    q = qparams(params.first + row, piece / GROUP_PIECES);
#else
    break;
#endif
  }
  sums = sum_of_lanes(thread, sums);
  if (thread % LANES == 0u && 4u * quad < params.rows) {
    write(0u, params.first + row, params.first + params.rows, sums);
  }
}
