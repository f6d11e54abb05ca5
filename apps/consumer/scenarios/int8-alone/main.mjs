import { Int8Tensor, linear, PerRow, readFloat32, tensor } from '@ao/int8'
import { measure } from './measure.mjs'

console.log(await measure({ Int8Tensor, linear, PerRow, readFloat32, tensor }))
