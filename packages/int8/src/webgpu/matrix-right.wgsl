#for c in 0..4
#if CODES
      right_tile[buffer][right_part$t][right_at$t + $c] = bitcast<i32>(right$t.bits[$c]);
#else
      {
        let zero = vec2<$H>($H(right$t.zero));
        let even = pair_of_codes(right$t.bits[$c], zero);
        let odd = pair_of_codes(right$t.bits[$c] >> 8u, zero);
        right_tile[buffer][right_part$t][right_at$t + 4u * $c] = even.x;
        right_tile[buffer][right_part$t][right_at$t + 4u * $c + 1u] = odd.x;
        right_tile[buffer][right_part$t][right_at$t + 4u * $c + 2u] = even.y;
        right_tile[buffer][right_part$t][right_at$t + 4u * $c + 3u] = odd.y;
      }
#endif
#end
