#for i in 0..4
      {
#if H == f16
        let two = bitcast<vec2<f16>>(SIDE$t.bits[$i]);
#else
        let two = unpack2x16float(SIDE$t.bits[$i]);
#endif
        SIDE_tile[buffer][SIDE_part$t][SIDE_at$t + 2u * ${i}u] = two.x;
        SIDE_tile[buffer][SIDE_part$t][SIDE_at$t + 2u * ${i}u + 1u] = two.y;
      }
#end
