import type { NumberToken } from './value.ts'

/**
 * How servers that keep integers exact and floats as doubles write a token of room versions 1 to 5: `-0` as `0`,
 * integers digit by digit, floats in their shortest form with a fraction or an exponent (`1e3` is `1000.0`, `1e16`
 * is `1e+16`). Hashes of the old rooms in use were made so. Undefined beyond the range of a double.
 */
export function canonicalNumber(number: NumberToken): string | undefined {
  if (number.isInteger()) return number.token === '-0' ? '0' : number.token
  const value = number.toNumber()
  if (!Number.isFinite(value)) return undefined
  return floatText(value)
}

/** Shortest digits that read back as the same double; fixed notation for exponents from -4 to 15. */
function floatText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const sign = value < 0 ? '-' : ''
  const [mantissa = '', exponentText = ''] = Math.abs(value).toExponential().split('e')
  const exponent = Number(exponentText)
  const digits = mantissa.replace('.', '')
  if (exponent < -4 || exponent >= 16) {
    const tail = digits.length > 1 ? `.${digits.slice(1)}` : ''
    const size = String(Math.abs(exponent)).padStart(2, '0')
    return `${sign}${digits[0]}${tail}e${exponent < 0 ? '-' : '+'}${size}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}
