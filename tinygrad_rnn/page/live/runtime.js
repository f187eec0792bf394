// What do the programs call? Products, and curves that JavaScript has not.

// y (rows, n) = a (rows, k) times w, where one step in k is `byK` in w and one in n is `byN`.
function times(y, y0, yRow, a, a0, aRow, w, w0, byK, byN, rows, inner, columns) {
  const four = columns - columns % 4;
  for (let r = 0; r < rows; r++, y0 += yRow, a0 += aRow) {
    let n = 0, at = w0;
    for (; n < four; n += 4, at += 4 * byN) {
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0, p0 = at, p1 = at + byN, p2 = p1 + byN, p3 = p2 + byN;
      for (let k = 0; k < inner; k++, p0 += byK, p1 += byK, p2 += byK, p3 += byK) {
        const v = a[a0 + k];
        s0 += v * w[p0];
        s1 += v * w[p1];
        s2 += v * w[p2];
        s3 += v * w[p3];
      }
      y[y0 + n] = s0;
      y[y0 + n + 1] = s1;
      y[y0 + n + 2] = s2;
      y[y0 + n + 3] = s3;
    }
    for (; n < columns; n++, at += byN) {
      let s = 0;
      for (let k = 0, p = at; k < inner; k++, p += byK) s += a[a0 + k] * w[p];
      y[y0 + n] = s;
    }
  }
}

// g (n, k) += the products of all elements of a (rows, n) and b (rows, k), summed over the rows.
function addOuter(g, g0, a, a0, aRow, b, b0, bRow, rows, n, k) {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < k; j++) {
      let s = 0;
      for (let r = 0, p = a0 + i, q = b0 + j; r < rows; r++, p += aRow, q += bRow) s += a[p] * b[q];
      g[g0 + i * k + j] += s;
    }
  }
}

// A place along an axis of length n, where -1 is the last; one that is not there gives NaN and adds nothing.
function within(i, n) {
  return i >= 0 && i < n ? i : i < 0 && i >= -n ? i + n : NaN;
}

function tanh(x) {
  if (x > 20) return 1;
  if (x < -20) return -1;
  if (x > -0.1 && x < 0.1) return Math.tanh(x);  // where the quotient would lose digits
  return 1 - 2 / (Math.exp(2 * x) + 1);
}

function softplus(x) {
  return x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x));
}

function silu(x) {
  return x * (x > -746 ? 1 / (1 + Math.exp(-x)) : 0);
}

// The error function: its series near 0, a continued fraction in the tail (Abramowitz & Stegun 7.1.6, 7.1.14).
function erfc(z) {  // z >= 0
  if (z < 2.5) return 1 - erfNear(z);
  if (z > 28) return 0;
  let f = z;
  for (let n = 60; n > 0; n--) f = z + n / 2 / f;
  return Math.exp(-z * z) / (f * 1.772453850905516);
}

function erfNear(z) {
  let term = z, sum = z;
  for (let n = 1; n < 60 && Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= 2 * z * z / (2 * n + 1);
    sum += term;
  }
  return sum * Math.exp(-z * z) * 1.1283791670955126;
}

function erf(x) {
  if (Number.isNaN(x)) return NaN;
  const z = Math.abs(x);
  return Math.sign(x) * (z < 2.5 ? erfNear(z) : 1 - erfc(z));
}

function normalShare(x) {
  if (Number.isNaN(x)) return NaN;
  const z = Math.abs(x) * 0.7071067811865476, lower = erfc(z) / 2;
  return x < 0 ? lower : 1 - lower;
}

function geluByTanh(x) {
  return 0.5 * x * (1 + Math.tanh((x + 0.044715 * x * x * x) * 0.7978845608028654));
}

function floorQuotient(a, b) {  // exact, where a / b may be rounded up to the next whole number
  if (b === 0) return a / b;
  const rest = a % b, q = (a - rest) / b - (rest !== 0 && b < 0 !== rest < 0 ? 1 : 0), low = Math.floor(q);
  return q - low > 0.5 ? low + 1 : low;
}

function rint(x) {  // halves to even
  const low = Math.floor(x), rest = x - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}
