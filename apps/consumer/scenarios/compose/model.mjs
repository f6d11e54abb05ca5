import { readFloat32, tensor } from '@ao/int8'
import { Linear, ReLU, Sequential } from '@ao/nn'

export function newModel() {
  return new Sequential(new Linear(wave(128, 64)), new ReLU(), new Linear(wave(64, 128)))
}

export const input = wave(2, 64)

/** A model's numbers for the input, to compare with those of another process. */
export async function fingerprint(model) {
  return [...(await readFloat32(model.forward(input)))].slice(0, 4).join(' ')
}

function wave(rows, columns) {
  const values = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i ** 1.5))
  return tensor(values, { shape: [rows, columns] })
}
