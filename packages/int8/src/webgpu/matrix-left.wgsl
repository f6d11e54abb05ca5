#for c in 0..4
#if CODES
      left_tile[buffer][left_part$t][left_at$t + $c] = bitcast<i32>(left$t.bits[$c]);
#else
      left_tile[buffer][left_part$t][left_at$t + $c] = $H(left$t.low[$c]);
#endif
#end
#if !CODES
#for c in 0..4
      left_tile[buffer][left_part$t][left_at$t + 4u + $c] = $H(left$t.high[$c]);
#end
#endif
