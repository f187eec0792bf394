// How does a network run? The layers' steps, and the program around them, on weights that all of them share.

class Network {
  constructor(spec, values) {
    this.spec = spec;
    this.F = spec.kind;
    this.weights = values.map((v) => (v instanceof this.F ? v : this.F.from(v)));  // typed arrays are shared
    this.grads = spec.weights.map((w, k) => new this.F(this.weights[k].length));
    this.m = spec.outer.memory(this.F);
    this.weights.forEach((w, k) => { this.m[`w${k}`] = w; });
    for (const [role, numbers] of Object.entries(spec.constants)) this.m[role].set(numbers);
    this.runs = spec.layers.map((layer) => layer.stages.map((stage) => stage.ways.map((way) => {
      const step = spec.steps[way.step], m = step.memory(layer.T, this.F);
      way.weights.forEach((k, at) => { m[`w${at}`] = this.weights[k]; });
      if (layer.lengths) this.mark(m, layer, way);
      return {step, m, way, layer};
    })));
  }

  // Which sequences still run at each step.
  mark(m, layer, way) {
    for (let t = 0; t < layer.T; t++) {
      const time = way.back ? layer.T - 1 - t : t;
      for (let b = 0; b < layer.B; b++) m.live[t * layer.B + b] = time < layer.lengths[b] ? 1 : 0;
    }
  }

  get loss() { return this.m.out0[0]; }
  get prediction() { return this.m.out1; }

  all() { return this.runs.flat(2); }

  // Time first: (batch, time, features) to (time, batch, features), or back.
  turn(from, to, a, b) {
    const n = from.length / (a * b);
    for (let i = 0; i < a; i++) {
      for (let j = 0; j < b; j++) to.set(from.subarray((i * b + j) * n, (i * b + j + 1) * n), (j * a + i) * n);
    }
  }

  // Steps from the last to the first.
  reverse(from, to, T) {
    const n = from.length / T;
    for (let t = 0; t < T; t++) to.set(from.subarray((T - 1 - t) * n, (T - t) * n), t * n);
  }

  forward(draw = null) {
    const {outer, layers} = this.spec, m = this.m;
    layers.forEach((layer, k) => {
      outer.forward[k](m);
      this.runLayer(layer, this.runs[k], draw);
    });
    outer.forward[layers.length](m);
    return this.loss;
  }

  runLayer(layer, stages, draw) {
    const {T, B} = layer, m = this.m;
    let x = layer.x.out === undefined ? this.F.from(layer.x.fixed || []) : m[`out${layer.x.out}`];
    if (layer.turned) {
      const turned = new this.F(x.length);
      this.turn(x, turned, B, T);
      x = turned;
    }
    stages.forEach((ways, s) => {
      const rate = layer.stages[s].dropout;
      ways.mask = null;
      if (rate && draw) {
        ways.mask = this.F.from(x, () => (draw() >= rate ? 1 / (1 - rate) : 0));
        x = x.map((v, i) => v * ways.mask[i]);
      }
      for (const run of ways) {
        const {step, way} = run;
        if (way.back) this.reverse(x, run.m.x, T); else run.m.x.set(x);
        way.starts.forEach((start, k) => {
          const size = step.sizes[`s${k}`], to = run.m[`s${k}`];
          if (start.out !== undefined) to.set(m[`out${start.out}`]);
          else if (start.fixed) to.set(start.fixed);
          else to.fill(0, 0, size);
        });
        step.prepare(run.m);
        step.forward(run.m, T);
      }
      x = this.joined(layer, ways);
    });
    const y = m[`s${layer.results[0]}`];
    if (layer.turned) this.turn(x, y, T, B); else y.set(x);
    this.ends(layer, (run, k, at, to) => {
      const size = run.step.sizes[`s${k}`];
      to.set(run.m[`s${k}`].subarray(T * size, (T + 1) * size), at);
    }, stages, "s");
  }

  // Each last state of each cell, and where it lies among the layer's results.
  ends(layer, use, stages, prefix) {
    const runs = stages.flat();
    let next = 1;
    runs.forEach((run, c) => run.way.starts.forEach((_, k) => {
      const size = run.step.sizes[`s${k}`];
      const result = layer.joined ? layer.results[1 + k] : layer.results[next++];
      const to = this.m[`${prefix}${result}`];
      if (to) use(run, k, layer.joined ? c * size : 0, to);
    }));
  }

  // The outputs of a stage's directions side by side, time first.
  joined(layer, ways, name = "y") {
    const {T, B} = layer;
    if (ways.length === 1 && !ways[0].way.back) return ways[0].m[name].subarray(0, ways[0].step.sizes.y * T);
    const widths = ways.map((run) => run.step.sizes.y / B), total = widths.reduce((a, b) => a + b);
    const out = new this.F(T * B * total);
    let low = 0;
    ways.forEach((run, w) => {
      for (let t = 0; t < T; t++) {
        const from = run.way.back ? T - 1 - t : t;
        for (let b = 0; b < B; b++) {
          const at = (from * B + b) * widths[w];
          out.set(run.m[name].subarray(at, at + widths[w]), (t * B + b) * total + low);
        }
      }
      low += widths[w];
    });
    return out;
  }

  // The gradients of all weights; `cut` is a step into whose past no gradient goes.
  backward({cut = -1, ledger = false} = {}) {
    const {outer, layers} = this.spec, m = this.m;
    for (const name of Object.keys(m)) if (/^d(y|s\d+)$/.test(name)) m[name].fill(0);
    m.dy[0] = 1;
    for (const g of this.grads) g.fill(0);
    for (let k = layers.length - 1; k >= 0; k--) {
      outer.backward[layers.length - 1 - k](m);
      this.backLayer(layers[k], this.runs[k], cut, ledger);
    }
    outer.backward[layers.length](m);
    this.grads.forEach((g, k) => {
      const own = m[`gw${k}`];
      if (own) for (let i = 0; i < g.length; i++) g[i] += own[i];
    });
  }

  backLayer(layer, stages, cut, ledger) {
    const {T, B} = layer, m = this.m;
    let dy = m[`gs${layer.results[0]}`] || new this.F(m[`s${layer.results[0]}`].length);
    if (layer.turned) {
      const turned = new this.F(dy.length);
      this.turn(dy, turned, B, T);
      dy = turned;
    }
    for (const run of stages.flat()) {
      run.way.starts.forEach((_, k) => { const d = run.m[`d${k}`], n = run.step.sizes[`s${k}`]; d.fill(0, T * n); });
    }
    this.ends(layer, (run, k, at, from) => {
      const n = run.step.sizes[`s${k}`];
      run.m[`d${k}`].set(from.subarray(at, at + n), T * n);
    }, stages, "gs");
    let entry = null;
    for (let s = stages.length - 1; s >= 0; s--) {
      const ways = stages[s], widths = ways.map((run) => run.step.sizes.y / B);
      const total = widths.reduce((a, b) => a + b);
      const below = new this.F(ways[0].m.x.length);
      let low = 0;
      ways.forEach((run, w) => {
        for (let t = 0; t < T; t++) {
          const to = run.way.back ? T - 1 - t : t;
          for (let b = 0; b < B; b++) {
            const at = (t * B + b) * total + low;
            run.m.dy.set(dy.subarray(at, at + widths[w]), (to * B + b) * widths[w]);
          }
        }
        low += widths[w];
        const mine = run.way.back && cut >= 0 ? T - 1 - cut : cut;
        if (ledger) this.rows(run, T);
        run.step.backward(run.m, T, mine, ledger);
        if (ledger) this.sums(run, T);
        run.way.weights.forEach((k, at) => {
          const g = run.m[`g${at}`], sum = this.grads[k];
          if (g) for (let i = 0; i < sum.length; i++) sum[i] += g[i];
        });
        if (run.m.dx) {
          const n = run.m.dx.length / T;
          for (let t = 0; t < T; t++) {
            const from = run.way.back ? T - 1 - t : t;
            for (let i = 0; i < n; i++) below[t * n + i] += run.m.dx[from * n + i];
          }
        }
      });
      if (ways.mask) for (let i = 0; i < below.length; i++) below[i] *= ways.mask[i];
      dy = below;
      entry = below;
    }
    if (layer.x.out !== undefined) {
      const seed = m[`ds${layer.x.out - 1}`];
      if (layer.turned) this.turn(entry, seed, T, B); else seed.set(entry);
    }
    for (const run of stages.flat()) {
      run.way.starts.forEach((start, k) => {
        if (start.out !== undefined) m[`ds${start.out - 1}`].set(run.m[`d${k}`].subarray(0, run.step.sizes[`s${k}`]));
      });
    }
  }

  // Room for what each step says about each weight.
  rows(run, T) {
    run.way.weights.forEach((k, at) => {
      const g = run.m[`g${at}`];
      if (g && !run.m[`l${at}`]) run.m[`l${at}`] = new this.F(T * g.length);
    });
  }

  // The steps' parts are the whole.
  sums(run, T) {
    run.way.weights.forEach((k, at) => {
      const g = run.m[`g${at}`], rows = run.m[`l${at}`];
      if (!g) return;
      for (let i = 0; i < g.length; i++) {
        let s = 0;
        for (let t = 0; t < T; t++) s += rows[t * g.length + i];
        g[i] = s;
      }
    });
  }

  // What each step adds to one weight's gradient: rows (time, numbers), in the order of time; null without one.
  ledger(weight) {
    let found = null;
    for (const run of this.all()) {
      const at = run.way.weights.indexOf(weight), rows = at < 0 ? null : run.m[`l${at}`];
      if (!rows) continue;
      const {T} = run.layer, n = rows.length / T;
      found = found || {T, n, rows: new this.F(rows.length)};
      for (let t = 0; t < T; t++) {
        const from = run.way.back ? T - 1 - t : t;
        for (let i = 0; i < n; i++) found.rows[t * n + i] += rows[from * n + i];
      }
    }
    return found;
  }

  // A value with a name at every step of a cell: (time, numbers), in the order of time.
  seen(run, name) {
    const [array, size, at, shape, strides] = run.step.shown[name], {T} = run.layer;
    const n = shape.reduce((a, b) => a * b, 1), out = new this.F(T * n);
    for (let t = 0; t < T; t++) {
      const time = run.way.back ? T - 1 - t : t;
      for (let i = 0; i < n; i++) {
        let rest = i, where = t * size + at;
        for (let axis = shape.length - 1; axis >= 0; axis--) {
          where += (rest % shape[axis]) * strides[axis];
          rest = Math.floor(rest / shape[axis]);
        }
        out[time * n + i] = run.m[array][where];
      }
    }
    return {n, shape, values: out};
  }
}

// One step of an optimizer: PyTorch's SGD with momentum, or Adam.
class Optimizer {
  constructor(network, kind, rate) {
    this.network = network;
    this.kind = kind;
    this.rate = rate;
    this.count = 0;
    this.first = network.weights.map((w) => new network.F(w.length));
    this.second = network.weights.map((w) => new network.F(w.length));
  }

  step() {
    const {weights, grads, spec} = this.network;
    this.count++;
    const one = 1 - 0.9 ** this.count, two = 1 - 0.999 ** this.count;
    weights.forEach((w, k) => {
      if (!spec.weights[k].learnt) return;
      const g = grads[k], a = this.first[k], b = this.second[k];
      if (this.kind === "sgd") {
        for (let i = 0; i < w.length; i++) w[i] -= this.rate * g[i];
        return;
      }
      for (let i = 0; i < w.length; i++) {
        a[i] = 0.9 * a[i] + 0.1 * g[i];
        b[i] = 0.999 * b[i] + 0.001 * g[i] * g[i];
        w[i] -= this.rate * (a[i] / one) / (Math.sqrt(b[i] / two) + 1e-8);
      }
    });
  }
}
