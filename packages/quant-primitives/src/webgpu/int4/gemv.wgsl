// One row of the input. LANES threads walk along K, a piece of four rows of the weight at a time.

#if HALF
#if SIGNED
const BIASED = 0x64086408u;
#else
const BIASED = 0x64006400u;
#endif

// Nibbles 0 and 4 of a word, less 8: below an exponent that says 1024, they are 1024 + code.
fn pair_of_codes(word: u32) -> vec2<H> {
  let bits = (word & 0x000f000fu) ^ BIASED;
#if H == f16
  return bitcast<vec2<f16>>(bits) - vec2<f16>(1032.0h);
#else
  return unpack2x16float(bits) - vec2f(1032.0);
#endif
}

// Eight products are summed in 16 bits.
fn dot_word(word: u32, x: Eight) -> f32 {
  var sum = pair_of_codes(word) * vec2<H>(x.low.x, x.high.x);
  sum = fma(pair_of_codes(word >> 4u), vec2<H>(x.low.y, x.high.y), sum);
  sum = fma(pair_of_codes(word >> 8u), vec2<H>(x.low.z, x.high.z), sum);
  sum = fma(pair_of_codes(word >> 12u), vec2<H>(x.low.w, x.high.w), sum);
  return f32(sum.x) + f32(sum.y);
}

fn largest(x: Eight) -> H {
  let four = max(abs(x.low), abs(x.high));
  let two = max(four.xy, four.zw);
  return max(two.x, two.y);
}

fn scaled(x: Eight, factor: H) -> Eight { return Eight(x.low * factor, x.high * factor); }

const OFFSET = 0.0;
#else
fn dot_word(word: u32, x: Eight) -> f32 {
  return dot(low_codes(word), x.low) + dot(high_codes(word), x.high);
}

const OFFSET = 24.0; // dot_word sees code - 8 with this added
#endif

fn sum_of(x: Eight) -> f32 {
  let four = x.low + x.high;
  let two = four.xy + four.zw;
  return f32(two.x) + f32(two.y);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let quad = (group.y * groups.x + group.x) * (THREADS / LANES) + thread / LANES;
  let row = min(4u * quad, (params.rows - 1u) / 4u * 4u);
  var sums = vec4f();
  for (var piece = thread % LANES; piece < PIECES; piece += LANES) {
    let q = qparams(params.first + row, piece / GROUP_PIECES);
#for r in 0..4
    let w$r = words(row + ${r}u, piece);
#end
#for i in 0..4
    var x$i = x_of_word$i(4u * piece);
#end
#if HALF
    // Sums of eight products stay below the largest float16.
    let peak = max(max(largest(x0), largest(x1)), max(largest(x2), largest(x3)));
    let is_large = peak > 512.0;
    let factor = select(H(1.0), H(0.0078125), is_large);
#for i in 0..4
    x$i = scaled(x$i, factor);
#end
#endif
    let sum = sum_of(x0) + sum_of(x1) + sum_of(x2) + sum_of(x3);
#for r in 0..4
    let dot$r = dot_word(w$r.x, x0) + dot_word(w$r.y, x1) + dot_word(w$r.z, x2) + dot_word(w$r.w, x3);
#end
    let part = q.scale * (vec4f(dot0, dot1, dot2, dot3) - OFFSET * sum) + q.zero * sum;
#if HALF
    sums += part * select(1.0, 128.0, is_large);
#else
    sums += part;
#endif
  }
  sums = sum_of_lanes(thread, sums);
  if (thread % LANES == 0u && 4u * quad < params.rows) {
    write(0u, params.first + row, params.first + params.rows, sums);
  }
}
