// Which data are generated in the page? x (time, batch, features) and what to answer, the same for a seed.

function seeded(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Each fills x and y by a way to write into them: at(t, b, feature), answer(t, b); `all` asks at every step.
const TASKS = {
  // Hochreiter & Schmidhuber 1997: the sum of the two values that bear a mark.
  adding(draw, T, B, x, y) {
    for (let b = 0; b < B; b++) {
      const half = Math.max(1, T >> 1);
      const one = Math.floor(draw() * half), two = half + Math.floor(draw() * (T - half));
      let sum = 0;
      for (let t = 0; t < T; t++) {
        const v = draw(), mark = t === one || t === two ? 1 : 0;
        x(t, b, 0, v);
        x(t, b, 1, mark);
        sum += v * mark;
      }
      y(T - 1, b, sum);
    }
  },
  // Say what came three steps ago.
  echo(draw, T, B, x, y, delay = 3) {
    for (let b = 0; b < B; b++) {
      const bits = Array.from({length: T}, () => (draw() < 0.5 ? 0 : 1));
      bits.forEach((v, t) => { x(t, b, 0, v); y(t, b, t >= delay ? bits[t - delay] : 0); });
    }
  },
  // The next value of a sine wave that starts anywhere.
  sine(draw, T, B, x, y, period = 25) {
    for (let b = 0; b < B; b++) {
      const phase = draw() * 2 * Math.PI;
      for (let t = 0; t < T; t++) {
        x(t, b, 0, Math.sin(2 * Math.PI * t / period + phase));
        y(t, b, Math.sin(2 * Math.PI * (t + 1) / period + phase));
      }
    }
  },
};
