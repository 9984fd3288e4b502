/** The largest number that float16 holds. */
export const largestFloat16 = 65504;
/** The smallest number that float16 holds with all of its digits. */
export const smallestNormalFloat16 = 2 ** -14;

const [float, bits] = sharedViews();

/** The bits of the float16 nearest to a number, ties to even; beyond 65,520 that is infinity. */
export function float16Bits(value: number): number {
  float[0] = value;
  const word = bits[0] as number;
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) return sign | roundToEven(Math.abs(float[0] as number) * 2 ** 24);
  // 13 bits of the mantissa go; the exponent's bias falls from 127 to 15.
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** Whether float16 holds the number to its own precision: neither too large nor so small that digits go. */
export function fitsFloat16(value: number): boolean {
  const magnitude = Math.abs(value);
  return value === 0 || (magnitude >= smallestNormalFloat16 && magnitude <= largestFloat16);
}

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}

function sharedViews(): readonly [Float32Array, Uint32Array] {
  const buffer = new ArrayBuffer(4);
  return [new Float32Array(buffer), new Uint32Array(buffer)];
}
