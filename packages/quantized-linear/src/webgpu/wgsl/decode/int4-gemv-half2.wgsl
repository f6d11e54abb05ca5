// After int4-half2.wgsl and input.wgsl. Products of a word of eight codes, added to two sums in 16 bits.
fn add_products(word: u32, x: Eight, sum: vec2<H>) -> vec2<H> {
  let rest = word >> 8u;
  let first = fma(second_pair(word), vec2<H>(x.low.y, x.high.y), fma(first_pair(word), vec2<H>(x.low.x, x.high.x), sum));
  return fma(second_pair(rest), vec2<H>(x.low.w, x.high.w), fma(first_pair(rest), vec2<H>(x.low.z, x.high.z), first));
}

#for i in 0..4
fn add_products$i(chunk: Chunk, x: Eight, sum: vec2<H>) -> vec2<H> { return add_products(chunk[$i], x, sum); }
#end
