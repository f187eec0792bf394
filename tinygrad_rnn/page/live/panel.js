// What does one model of the page show? Its controls, and pictures of what the network computes now.

const $ = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && name !== "list") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
};
const said = (v) => (v === 0 ? "0" : Math.abs(v) >= 1e4 || Math.abs(v) < 1e-3 ? v.toExponential(2) : String(Number(v.toPrecision(3))));
const norm = (a) => Math.sqrt(a.reduce((s, v) => s + v * v, 0));
let ids = 0;
const LEFT = 42, EDGES = 50;  // pixels beside a picture: the labels, and both sides together

class Panel {
  constructor(root, model, data, page) {
    Object.assign(this, {root, model, data, page, at: 0});
    this.F = data.kind === "f" ? Float32Array : Float64Array;
    this.file = data.values.map((text) => this.decoded(text));
    this.weights = this.file.map((v) => this.F.from(v));
    this.networks = model.networks.map((n) => new Network(n.spec, this.weights));
    this.fill(this.networks[0], this.decoded(data.x), this.decoded(data.y));
    this.id = ++ids;
    const {symbols} = data;
    this.symbols = symbols && symbols.map((s) => ({" ": "␣", "\n": "⏎", "\t": "⇥"}[s] ?? s));
    const wide = this.runs[0].step.sizes.s0 / this.B;
    const recurrent = this.runs[0].way.weights.filter((k) => this.spec.weights[k].shape[1] === wide);
    Object.assign(this, {b: 0, feature: 0, t: 0, shown: 0, chosen: recurrent.at(-1) ?? 0, iteration: 0, losses: [], cut: -1, stretch: null});
    this.hold = {gate: "", from: 0, value: 1};
    this.draws = seeded(1);
    this.optimizer = new Optimizer(this.network, "adam", 0.01);
    this.build();
    this.compute();
  }

  decoded(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return this.data.kind === "f" ? new Float32Array(bytes.buffer) : new Float64Array(bytes.buffer);
  }

  get network() { return this.networks[this.at]; }
  get spec() { return this.network.spec; }
  get task() { return this.model.networks[this.at].task; }
  get T() { return this.spec.layers[0].T; }
  get B() { return this.spec.layers[0].B; }
  get turned() { return this.spec.layers[0].turned; }
  get features() { return this.network.m.x0.length / this.T / this.B; }
  get runs() { return this.network.all(); }
  get whole() { return this.data.count !== null && !this.task; }  // whether inputs are whole numbers

  // The symbols of a sequence, or null; with `classes` those that are said to come.
  letters(b, classes = null) {
    if (!this.symbols || !this.whole) return null;
    const at = (t) => (classes ? classes[t] : this.network.m.x0[this.place(t, b, 0)]);
    return Array.from({length: this.T}, (_, t) => this.symbols[at(t)] ?? "·");
  }

  // The share of each class at an answer: the softmax of scores, or of logarithms of shares.
  shares(e) {
    const {count, apart} = this.data.classes, {out1} = this.network.m;
    const scores = Array.from({length: count}, (_, c) => out1[(Math.floor(e / apart) * count + c) * apart + e % apart]);
    const most = Math.max(...scores), powers = scores.map((v) => Math.exp(v - most)), sum = powers.reduce((a, v) => a + v, 0);
    return powers.map((v) => v / sum);
  }

  fill(network, x, y) {
    network.m.x0.set(x);
    if (network.m.x1 && y) network.m.x1.set(y);
  }

  // Where an element of x is, in the order of the model's own input.
  place(t, b, f) { return ((this.turned ? b * this.T + t : t * this.B + b)) * this.features + f; }

  // Where an answer at a step is: -1 where the model answers at the last step alone.
  answer(array, t, b) {
    const n = array.length / this.B;
    if (array.length % (this.B * this.T) === 0 && n >= this.T) {
      return (this.turned ? b * this.T + t : t * this.B + b) * (n / this.T);
    }
    return t === this.T - 1 ? b * n : -1;
  }

  generate() {
    if (!this.task) return;
    const {T, B} = this, {m} = this.network;
    TASKS[this.task](this.draws, T, B, (t, b, f, v) => { m.x0[this.place(t, b, f)] = v; }, (t, b, v) => {
      const at = this.answer(m.x1, t, b);
      if (at >= 0) m.x1[at] = v;
    });
  }

  // ---- what is computed

  compute() {
    const begin = performance.now();
    this.apply();
    this.loss = this.network.forward();
    this.network.backward({cut: this.cut, ledger: true});
    this.draw();
    this.took = performance.now() - begin;
  }

  apply() {
    for (const run of this.runs) {
      for (const name of Object.keys(run.m)) {
        if (!name.startsWith("lm_")) continue;
        const on = name === `lm_${this.hold.gate}`;
        for (let t = 0; t < this.T; t++) {
          const time = run.way.back ? this.T - 1 - t : t;
          run.m[name][t] = on && time >= this.hold.from ? 1 : 0;
          run.m[name.replace("lm_", "lv_")][t] = this.hold.value;
        }
      }
    }
  }

  // So many iterations: fresh data, forward, backward, a step of the optimizer. One set of weights moves.
  train(count = 1) {
    const rate = this.spec.layers.some((layer) => layer.stages.some((stage) => stage.dropout));
    this.apply();
    for (let k = 0; k < count; k++) {
      this.generate();
      const loss = this.network.forward(rate ? this.draws : null);
      this.network.backward({cut: this.cut});
      this.optimizer.step();
      this.iteration++;
      this.losses.push(loss);
      if (this.losses.length > 4000) this.losses = this.losses.filter((_, i) => i % 2);
    }
  }

  play(on) {
    this.playing = on;
    this.buttons.play.textContent = on ? "Pause" : "Play";
    this.buttons.play.setAttribute("aria-pressed", on);
    const frame = () => {
      if (!this.playing) return;
      const begin = performance.now();
      do this.train(1); while (performance.now() - begin < 24);
      this.compute();
      requestAnimationFrame(frame);
    };
    if (on) requestAnimationFrame(frame);
    else this.tell(`Paused after ${this.iteration} iterations, loss ${said(this.loss)}.`);
  }

  reset() {
    this.play(false);
    this.weights.forEach((w, k) => w.set(this.file[k]));
    this.fill(this.networks[0], this.decoded(this.data.x), this.decoded(this.data.y));
    Object.assign(this, {iteration: 0, losses: [], cut: -1});
    this.hold = {gate: "", from: 0, value: 1};
    this.draws = seeded(1);
    this.optimizer = new Optimizer(this.network, this.inputs.kind.value, Number(this.inputs.rate.value));
    this.inputs.gate.value = "";
    this.inputs.cut.value = 0;
    this.compute();
    this.tell("The file's values are back.");
  }

  choose(at) {
    this.at = at;
    this.b = Math.min(this.b, this.B - 1);
    this.t = Math.min(this.t, this.T - 1);
    this.feature = Math.min(this.feature, this.features - 1);
    this.cut = -1;
    if (this.task) { this.draws = seeded(1); this.generate(); }
    this.optimizer = new Optimizer(this.network, this.inputs.kind.value, Number(this.inputs.rate.value));
    this.losses = [];
    this.ranges();
    this.compute();
  }

  // Some of: data (by its place in the list), frame (of the film, -1 the last), gate, from, value, cut, weight
  // (by the end of its name) and what it is multiplied with, show.
  situation({data, frame, gate, from = 0, value = 1, cut, weight, scale, show}) {
    const i = this.inputs;
    if (frame !== undefined && this.frame) this.frame(frame < 0 ? this.frames - 1 : frame);
    if (data !== undefined) { i.data.value = data; this.choose(data); }
    if (gate !== undefined && [...i.gate.options].some((o) => o.value === gate)) {
      this.hold = {gate, from, value};
      Object.assign(i.gate, {value: gate});
      i.from.value = from;
      i.held.value = value;
    }
    if (cut !== undefined) { this.cut = cut || -1; i.cut.value = cut; }
    if (weight !== undefined) {
      const k = this.spec.weights.findIndex((w) => w.name.endsWith(weight));
      if (k >= 0) {
        this.chosen = i.weight.value = k;
        i.element.max = this.weights[k].length - 1;
        if (scale !== undefined) this.weights[k].forEach((v, at, all) => { all[at] = v * scale; });
      }
    }
    const shown = [...i.shown.options].find((o) => o.value.endsWith(` ${show}`));
    if (shown) this.shown = i.shown.value = shown.value;
    this.compute();
  }

  // What every step adds to a weight's gradient G: <g_t, G> / |G|, which sum to |G|.
  contributions(k) {
    const found = this.network.ledger(k);
    if (!found) return null;
    const G = this.network.grads[k], size = norm(G), parts = [];
    for (let t = 0; t < found.T; t++) {
      let dot = 0;
      for (let i = 0; i < found.n; i++) dot += found.rows[t * found.n + i] * G[i];
      parts.push(size ? dot / size : 0);
    }
    return {parts, size};
  }

  // How much gradient arrives at a state of a cell after each step.
  credit(run, k) {
    const d = run.m[`d${k}`], n = run.step.sizes[`s${k}`], {T} = this, out = [];
    for (let t = 0; t < T; t++) {
      const at = run.way.back ? T - t : t + 1;
      out.push(norm(d.subarray(at * n, (at + 1) * n)));
    }
    return out;
  }

  // The largest singular value of dh_T / dh_t for the top cell and one sequence, for each lag.
  memory() {
    const run = this.runs.at(-1), {m, step} = run, {T, B} = this, n = step.sizes.s0 / B, found = [];
    const rows = [];
    for (let j = 0; j < n; j++) {
      for (const name of Object.keys(m)) if (/^d(\d+|y)$/.test(name)) m[name].fill(0);
      m.d0[T * n * B + this.b * n + j] = 1;
      step.backward(m, T, -1, false);
      rows.push(m.d0.slice());
    }
    for (let lag = 0; lag < T; lag++) {
      const J = rows.map((d) => d.subarray((T - lag) * n * B + this.b * n, (T - lag) * n * B + this.b * n + n));
      found.push(singular(J));
    }
    this.network.backward({cut: this.cut, ledger: true});
    return found;
  }

  // The memory as the network is now. It takes a backward pass a unit: where that is long, it comes after the rest.
  recall() {
    const begin = performance.now();
    clearTimeout(this.waiting);
    this.remembered = this.memory();
    this.quick = performance.now() - begin < 12;
    return this.remembered;
  }

  recallLater() {
    clearTimeout(this.waiting);
    this.remembered = null;
    this.waiting = setTimeout(() => {
      if (this.playing) return;
      this.recall();
      this.drawCredit(colors(this.root), false);
    }, 60);
  }

  // ---- the page

  field(words, input) {
    input.id = `live-${this.id}-${++ids}`;
    return $("label", {htmlFor: input.id}, $("span", {}, words), input);
  }

  select(options, onchange) {
    return $("select", {onchange}, ...options.map(([value, words]) => $("option", {value}, words)));
  }

  range(max, value, oninput) { return $("input", {type: "range", min: 0, max, step: 1, value, oninput}); }

  figure(name, words, ...more) {
    const canvas = $("canvas", {height: 120});
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", words);
    this.canvases[name] = canvas;
    this.captions[name] = $("figcaption", {}, words);
    return $("figure", {className: `live-${name}`}, this.captions[name], ...more, canvas);
  }

  build() {
    this.canvases = {};
    this.captions = {};
    this.inputs = {};
    const button = (name, words, onclick) => $("button", {type: "button", onclick, "data-live": name}, words);
    this.buttons = {
      play: button("play", "Play", () => this.play(!this.playing)),
      one: button("one", "One step", () => { this.train(1); this.compute(); this.tell(`Iteration ${this.iteration}: loss ${said(this.losses.at(-1))}.`); }),
      reset: button("reset", "Reset", () => this.reset()),
    };
    this.buttons.play.setAttribute("aria-pressed", false);
    const i = this.inputs;
    i.data = this.select(this.model.networks.map((n, k) => [k, n.label]), () => this.choose(Number(i.data.value)));
    i.kind = this.select([["adam", "Adam"], ["sgd", "SGD"]], () => { this.optimizer = new Optimizer(this.network, i.kind.value, Number(i.rate.value)); });
    i.rate = this.select([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1].map((v) => [v, String(v)]), () => { this.optimizer.rate = Number(i.rate.value); });
    i.rate.value = "0.01";
    i.sequence = this.range(0, 0, () => { this.b = Number(i.sequence.value); this.edited(); });
    i.feature = this.range(0, 0, () => { this.feature = Number(i.feature.value); this.edited(); });
    i.step = this.range(0, 0, () => { this.t = Number(i.step.value); this.edited(); });
    i.value = $("input", {type: "number", step: "any", oninput: () => this.set(this.t, Number(i.value.value))});
    if (this.data.count !== null) Object.assign(i.value, {step: 1, min: 0, max: this.data.count - 1});
    i.letter = this.select((this.symbols || []).map((s, k) => [k, s]), () => this.set(this.t, Number(i.letter.value)));
    i.gate = this.select([["", "none"]], () => { this.hold.gate = i.gate.value; this.compute(); });
    i.held = $("input", {type: "number", step: 0.1, value: 1, oninput: () => { this.hold.value = Number(i.held.value); this.compute(); }});
    i.from = this.range(0, 0, () => { this.hold.from = Number(i.from.value); this.compute(); });
    i.cut = this.range(0, 0, () => { this.cut = Number(i.cut.value) || -1; this.compute(); });
    i.shown = this.select([], () => { this.shown = i.shown.value; this.compute(); });
    i.unit = this.range(0, 0, () => { this.compute(); });
    i.weight = this.select(this.spec.weights.map((w, k) => [k, `${w.name} (${w.shape.join(", ")})`]), () => { this.chosen = Number(i.weight.value); this.ranges(); this.compute(); });
    i.weight.value = this.chosen;
    i.element = this.range(0, 0, () => this.compute());
    i.to = $("input", {type: "number", step: "any", oninput: () => { this.weights[this.chosen][Number(i.element.value)] = Number(i.to.value); this.compute(); }});
    this.status = $("p", {className: "live-now"});
    this.heard = $("p", {className: "unseen", role: "status"});
    this.title = $("h2", {}, this.data.title);
    this.table = $("table", {});
    this.details = $("details", {ontoggle: () => this.numbers()}, $("summary", {}, "Numbers: what each step adds"), $("div", {className: "live-scroll", tabIndex: 0, role: "region", "aria-label": "What each step adds"}, this.table));
    this.film = this.data.film ? this.filmed() : "";
    this.root.append(
      this.title, ...(this.data.words ? [$("p", {className: "live-words"}, this.data.words)] : []),
      $("div", {className: "live-bar", role: "group", "aria-label": "Training"}, ...Object.values(this.buttons),
        this.field("data", i.data), this.field("optimizer", i.kind), this.field("rate", i.rate)),
      this.status, this.heard, this.film,
      $("div", {className: "live-grid"},
        this.figure("input", "The input: pull a point", $("div", {className: "live-bar"}, this.field("sequence", i.sequence), this.field("feature", i.feature), this.field("step", i.step), this.field("symbol", i.letter), this.field("value", i.value))),
        ...(this.symbols ? [this.written()] : []),
        this.figure("prediction", "Prediction (blue) against truth"),
        this.figure("gates", "A gate or a state: units upwards, time to the right. Pick a stretch: where else is this unit on?", $("div", {className: "live-bar"}, this.field("show", i.shown), this.field("unit", i.unit))),
        this.figure("ledger", "The ledger: what each step adds to the gradient of the one set of weights"),
        this.figure("credit", "The gradient that arrives at each state, and the memory of the last h (dashed), on a log scale", $("div", {className: "live-bar", role: "group", "aria-label": "Interventions"}, this.field("hold gate", i.gate), this.field("at", i.held), this.field("from step", i.from), this.field("cut before step", i.cut))),
        this.figure("losses", "Loss at each iteration"),
        this.figure("weights", "The one set of weights, used at every step", $("div", {className: "live-bar"}, this.field("weight", i.weight), this.field("element", i.element), this.field("value", i.to))),
      ), this.details);
    this.pointers();
    this.ranges();
  }

  // The text of a sequence, each symbol on the colour of one unit.
  written() {
    this.text = $("div", {className: "live-letters"});
    this.text.setAttribute("role", "img");
    this.captions.text = $("figcaption", {}, "");
    return $("figure", {className: "live-text"}, this.captions.text, this.text);
  }

  drawText(name, unit, values) {
    if (!this.text) return;
    const letters = this.letters(this.b) || [], most = Math.max(1e-9, ...values.map(Math.abs));
    this.text.parentNode.hidden = !letters.length;
    while (this.text.childNodes.length > letters.length) this.text.lastChild.remove();
    letters.forEach((letter, t) => {
      let node = this.text.childNodes[t];
      if (!node) this.text.append(node = $("span", {onclick: () => { this.t = this.inputs.step.value = t; this.edited(); }}));
      if (node.textContent !== letter) node.textContent = letter;
      node.className = t === this.t ? "chosen" : "";
      node.title = `t = ${t + 1}: ${name} = ${said(values[t])}`;
      node.style.background = `color-mix(in srgb, var(--${values[t] < 0 ? "pink" : "blue"}) ${Math.round(55 * Math.abs(values[t]) / most)}%, transparent)`;
    });
    this.captions.text.textContent = `The text on the colours of ${name}, unit ${unit + 1}: blue above 0, pink below`;
    this.text.setAttribute("aria-label", letters.map((letter, t) => `${letter} ${said(values[t])}`).join(", "));
  }

  filmed() {
    const {film} = this.data, values = this.decoded(film.values), n = this.weights.reduce((s, w) => s + w.length, 0);
    this.frames = film.epochs.length;
    const words = (k) => `epoch ${film.epochs[k]}, ` + (film.losses[k] === null ? "before training" : `loss ${said(film.losses[k])}`);
    this.inputs.film = $("input", {type: "range", min: 0, max: this.frames - 1, step: 1, value: this.frames - 1, oninput: () => this.page.frame(Number(this.inputs.film.value))});
    this.frame = (k) => {
      k = Math.min(k, this.frames - 1);
      this.inputs.film.value = k;
      let at = k * n;
      for (const w of this.weights) { w.set(values.subarray(at, at + w.length)); at += w.length; }
      this.epoch.textContent = words(k);
      this.compute();
    };
    this.epoch = $("output", {}, words(this.frames - 1));
    return $("div", {className: "live-bar live-film"}, this.field("training, epoch by epoch", this.inputs.film), this.epoch);
  }

  // What can be chosen, as the network is now.
  ranges() {
    const i = this.inputs, {T, B} = this;
    i.sequence.max = B - 1;
    i.feature.max = this.features - 1;
    i.step.max = T - 1;
    i.from.max = T - 1;
    i.cut.max = T - 1;
    i.cut.value = 0;
    i.element.max = this.weights[this.chosen].length - 1;
    const names = [];
    this.runs.forEach((run, k) => Object.keys(run.step.shown).forEach((name) => names.push([`${k} ${name}`, this.runs.length > 1 ? `${name} of cell ${k + 1}` : name])));
    const before = i.shown.value;
    i.shown.replaceChildren(...names.map(([value, words]) => $("option", {value}, words)));
    this.shown = names.some(([value]) => value === before) ? before : (names.find(([v]) => v.endsWith(" f")) || names.at(-1) || [""])[0];
    i.shown.value = this.shown;
    const gates = [...new Set(this.runs.flatMap((run) => Object.keys(run.m).filter((n) => n.startsWith("lm_")).map((n) => n.slice(3))))];
    i.gate.replaceChildren(...[["", gates.length ? "none" : "none can be held here"], ...gates.map((g) => [g, g])].map(([value, words]) => $("option", {value}, words)));
    i.gate.value = this.hold.gate = gates.includes(this.hold.gate) ? this.hold.gate : "";
    for (const [name, label] of [["sequence", B], ["feature", this.features]]) i[name].parentNode.hidden = label < 2;
    i.letter.parentNode.hidden = !(this.symbols && this.whole);
    i.value.parentNode.hidden = !i.letter.parentNode.hidden;
    i.data.parentNode.hidden = this.networks.length < 2;
  }

  edited() {
    this.inputs.value.value = Number(this.network.m.x0[this.place(this.t, this.b, this.feature)].toPrecision(4));
    this.draw();
  }

  // Change one number of the input; all that follows from it follows.
  set(t, v) {
    if (!Number.isFinite(v)) return;
    if (this.whole) v = Math.max(0, Math.min(this.data.count - 1, Math.round(v)));
    this.network.m.x0[this.place(t, this.b, this.feature)] = v;
    this.compute();
  }

  tell(words) { this.heard.textContent = words; }

  pointers() {
    const {input, gates} = this.canvases;
    const at = (event) => {
      const box = input.getBoundingClientRect();
      const t = Math.round((event.clientX - box.left - LEFT) / (box.width - EDGES) * Math.max(this.T - 1, 1));
      const [low, high] = this.scale;
      return [Math.max(0, Math.min(this.T - 1, t)), high - (event.clientY - box.top - 8) / (box.height - 24) * (high - low)];
    };
    input.addEventListener("pointerdown", (event) => {
      input.setPointerCapture(event.pointerId);
      [this.t] = at(event);
      this.inputs.step.value = this.t;
      this.pulling = true;
      this.edited();
    });
    input.addEventListener("pointermove", (event) => {
      if (!this.pulling) return;
      this.set(this.t, at(event)[1]);
      this.inputs.value.value = Number(this.network.m.x0[this.place(this.t, this.b, this.feature)].toPrecision(4));
    });
    for (const end of ["pointerup", "pointercancel"]) input.addEventListener(end, () => { this.pulling = false; });
    const step = (event) => {
      const box = gates.getBoundingClientRect(), {n} = this.heat;
      const unit = n - 1 - Math.floor((event.clientY - box.top) / (box.height - this.heat.foot) * n);
      return [Math.max(0, Math.min(this.T - 1, Math.floor((event.clientX - box.left - LEFT) / (box.width - EDGES) * this.T))), Math.max(0, Math.min(n - 1, unit))];
    };
    gates.addEventListener("pointerdown", (event) => {
      gates.setPointerCapture(event.pointerId);
      const [t, unit] = step(event);
      this.inputs.unit.value = unit;
      this.stretch = [t, t];
      this.picking = true;
      this.draw();
    });
    gates.addEventListener("pointermove", (event) => {
      if (!this.picking) return;
      this.stretch[1] = step(event)[0];
      this.draw();
    });
    for (const end of ["pointerup", "pointercancel"]) gates.addEventListener(end, () => { this.picking = false; });
  }

  // ---- the pictures

  draw() {
    const i = this.inputs;
    this.status.textContent = `iteration ${this.iteration} · loss ${said(this.loss)} · |G| ${said(norm(this.network.grads.map(norm)))}` + (this.hold.gate ? ` · ${this.hold.gate} := ${this.hold.value} from step ${this.hold.from + 1}` : "") + (this.cut > 0 ? ` · no gradient crosses into the steps before ${this.cut + 1}` : "");
    const color = colors(this.root);
    for (const canvas of Object.values(this.canvases)) canvas.wide = canvas.clientWidth;  // all before one is changed
    this.drawInput(color);
    this.drawPrediction(color);
    this.drawHeat(color);
    this.drawLedger(color);
    this.drawCredit(color);
    this.drawLosses(color);
    this.drawWeights(color);
    if (document.activeElement !== i.value) i.value.value = Number(this.network.m.x0[this.place(this.t, this.b, this.feature)].toPrecision(4));
    if (this.symbols && document.activeElement !== i.letter) i.letter.value = i.value.value;
    if (document.activeElement !== i.to) i.to.value = Number(this.weights[this.chosen][Number(i.element.value)].toPrecision(5));
    if (this.details.open && !this.playing) this.numbers();
  }

  drawInput(color) {
    const {T, b} = this, x = this.network.m.x0, lines = [];
    for (let f = 0; f < this.features; f++) {
      lines.push({values: Array.from({length: T}, (_, t) => x[this.place(t, b, f)]), color: f === this.feature ? color.ink : color.line, dots: f === this.feature, mark: f === this.feature ? this.t : -1});
    }
    this.scale = plot(this.canvases.input, lines, color, {marks: this.similar ? this.similar.filter((s) => s[0] === b) : []});
  }

  // What is said of each class, step by step or sequence by sequence; what came is framed.
  drawClasses(color) {
    const {T, B, b, canvases, captions} = this, {x1} = this.network.m, each = this.answer(x1, 0, 0) >= 0 && T > 1;
    const answers = Array.from({length: each ? T : B}, (_, k) => (each ? this.answer(x1, k, b) : this.answer(x1, T - 1, k)));
    const columns = answers.map((e) => this.shares(e)), {count} = this.data.classes;
    this.said = columns.map((shares) => shares.indexOf(Math.max(...shares)));
    const cells = answers.map((e, k) => [count - 1 - x1[e], k]).filter(([row]) => row >= 0 && row < count);
    const letters = each ? this.letters(b, this.said) : null;
    heat(canvases.prediction, Array.from({length: count}, (_, c) => columns.map((shares) => shares[c])), color, {cells, letters, words: "0 to 1"});
    captions.prediction.textContent = `The share of each class, upwards from 0, ${each ? "step by step" : "a column a sequence"}; what came is framed` + (letters ? "; below, the likeliest" : "");
    canvases.prediction.setAttribute("aria-label", answers.map((e, k) => `${each ? "step" : "sequence"} ${k + 1}: ${this.named(this.said[k])} ${said(columns[k][this.said[k]])}, came ${this.named(x1[e])}`).join("; "));
  }

  named(k) { return (this.symbols && this.symbols.length === this.data.classes.count && this.symbols[k]) || `class ${k}`; }

  drawPrediction(color) {
    if (this.data.classes && !this.task) { this.drawClasses(color); return; }
    const {T, B, b} = this, {m} = this.network, lines = [], each = this.answer(m.out1, 0, 0) >= 0 && T > 1;
    const at = (array, k) => (each ? this.answer(array, k, b) : this.answer(array, T - 1, k));
    const line = (array, stroke) => ({values: Array.from({length: each ? T : B}, (_, k) => array[at(array, k)]), color: stroke, dots: true, loose: !each, mark: each ? -1 : b});
    if (m.x1 && m.x1.length === m.out1.length) lines.push(line(m.x1, color.soft));
    lines.push(line(m.out1, color.blue));
    plot(this.canvases.prediction, lines, color, {});
    this.captions.prediction.textContent = each ? "Prediction (blue) against truth, step by step" : "Prediction (blue) against truth, a dot a sequence";
    this.canvases.prediction.setAttribute("aria-label", `Prediction: ${lines.at(-1).values.map(said).join(", ")}` + (lines.length > 1 ? `. Truth: ${lines[0].values.map(said).join(", ")}` : ""));
  }

  drawHeat(color) {
    const [k, name] = this.shown.split(" "), run = this.runs[Number(k)];
    if (!run || !run.step.shown[name]) return;
    const seen = this.network.seen(run, name), n = seen.n / this.B, unit = Math.min(Number(this.inputs.unit.value), n - 1);
    this.inputs.unit.max = n - 1;
    const letters = this.letters(this.b);
    this.heat = {n, foot: letters ? 30 : 16};
    const row = (b, u) => Array.from({length: this.T}, (_, t) => seen.values[t * seen.n + b * n + u]);
    this.similar = this.stretch ? alike(row, unit, this.b, this.stretch, this.B, this.T) : null;
    heat(this.canvases.gates, Array.from({length: n}, (_, u) => row(this.b, u)), color, {unit, letters, stretch: this.stretch, marks: (this.similar || []).filter((s) => s[0] === this.b)});
    this.drawText(name, unit, row(this.b, unit));
    this.canvases.gates.setAttribute("aria-label", `${name}: unit ${unit + 1} at steps 1 to ${this.T}: ${row(this.b, unit).map(said).join(", ")}` + (this.similar ? `. Like the picked stretch: ${this.similar.slice(0, 8).map(([b, t]) => `sequence ${b + 1}, step ${t + 1}`).join("; ") || "nothing"}` : ""));
  }

  drawLedger(color) {
    const rows = [];
    this.spec.weights.forEach((w, k) => {
      const found = this.contributions(k);
      if (found) rows.push({name: w.name.split(".").at(-1), ...found});
    });
    this.rows = rows;
    bars(this.canvases.ledger, rows, color, this.T);
    this.canvases.ledger.setAttribute("aria-label", rows.map((r) => `${r.name}: the steps' parts sum to ${said(r.size)}`).join("; "));
  }

  drawCredit(color, anew = true) {
    const lines = [];
    this.runs.forEach((run) => run.way.starts.forEach((_, k) => lines.push({values: this.credit(run, k).map((v) => (v > 1e-30 ? Math.log10(v) : NaN)), color: run.way.states[k] === "c" ? color.green : color.blue, dots: false})));
    const last = this.runs.at(-1);
    if (!this.playing && !last.way.back && last.step.sizes.s0 / this.B <= 64) {
      if (anew) { if (this.quick) this.recall(); else this.recallLater(); }
      if (this.remembered) lines.push({values: this.remembered.slice().reverse().map((v) => (v > 1e-30 ? Math.log10(v) : NaN)), color: color.pink, dashed: true});
    }
    plot(this.canvases.credit, lines, color, {log: true, cut: this.cut});
    this.canvases.credit.setAttribute("aria-label", `The gradient at the states, step by step: ${this.credit(last, 0).map(said).join(", ")}`);
  }

  drawLosses(color) {
    const film = this.data.film ? [{values: this.data.film.losses.map((v) => v ?? NaN), color: color.soft, dots: false}] : [];
    plot(this.canvases.losses, [...(this.losses.length ? [] : film), {values: this.losses, color: color.orange, dots: false}], color, {zero: true});
  }

  drawWeights(color) {
    const w = this.weights[this.chosen], {shape} = this.spec.weights[this.chosen], columns = shape.length > 1 ? shape.at(-1) : 1;
    const values = Array.from({length: w.length / columns}, (_, r) => Array.from(w.subarray(r * columns, (r + 1) * columns))).reverse();
    const count = this.weights.reduce((s, v, k) => s + (this.spec.weights[k].learnt ? v.length : 0), 0);
    this.captions.weights.textContent = `The one set of weights: ${count} numbers, used at each of ${this.T} steps`;
    const radius = this.radius(this.chosen), at = Number(this.inputs.element.value);
    heat(this.canvases.weights, values, color, {cell: [Math.floor(at / columns), at % columns], words: radius});
    this.canvases.weights.setAttribute("aria-label", `${this.spec.weights[this.chosen].name}, norm ${said(norm(w))}. ${radius}`);
  }

  // The spectral radius of each square block of a weight.
  radius(k) {
    const {shape} = this.spec.weights[k], n = shape.at(-1);
    if (shape.length !== 2 || shape[0] % n || !this.runs.some((run) => run.step.sizes.s0 / this.B === n && run.way.weights.includes(k))) return "";
    const blocks = Array.from({length: shape[0] / n}, (_, g) => spectral(this.weights[k].subarray(g * n * n, (g + 1) * n * n), n));
    this.radii = blocks;
    return `spectral radius ${blocks.map(said).join(", ")}`;
  }

  numbers() {
    if (!this.details.open) return;
    const head = $("tr", {}, $("th", {scope: "col"}, "weight"), ...Array.from({length: this.T}, (_, t) => $("th", {scope: "col"}, `t = ${t + 1}`)), $("th", {scope: "col"}, "|G|"));
    this.table.replaceChildren($("caption", {className: "unseen"}, "What each step adds to each weight's gradient"), $("thead", {}, head), $("tbody", {}, ...this.rows.map((r) => $("tr", {}, $("th", {scope: "row"}, r.name), ...r.parts.map((v) => $("td", {}, said(v))), $("td", {}, said(r.size))))));
  }
}

// ---- numbers

// The largest singular value of some rows: by powers of J J^T.
function singular(J) {
  const n = J.length;
  let v = Float64Array.from({length: n}, (_, i) => 1 + i / 7), size = 0;
  for (let k = 0; k < 60; k++) {
    const u = new Float64Array(J[0].length);
    J.forEach((row, i) => row.forEach((a, j) => { u[j] += a * v[i]; }));
    const w = Float64Array.from(J, (row) => row.reduce((s, a, j) => s + a * u[j], 0));
    const next = Math.sqrt(norm(w) / (norm(v) || 1));
    const length = norm(w);
    if (!length) return 0;
    v = w.map((x) => x / length);
    if (Math.abs(next - size) < 1e-9 * next) return next;
    size = next;
  }
  return size;
}

// max |eigenvalue|: the growth of ever higher powers, by squaring.
function spectral(W, n) {
  let A = Float64Array.from(W), log = 0;
  const count = 16;
  for (let k = 0; k < count; k++) {
    const size = norm(A);
    if (!size) return 0;
    A = A.map((v) => v / size);
    log += Math.log(size) / 2 ** k;
    const B = new Float64Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) {
      let s = 0;
      for (let l = 0; l < n; l++) s += A[i * n + l] * A[l * n + j];
      B[i * n + j] = s;
    }
    A = B;
  }
  return Math.exp(log + Math.log(norm(A) || 1e-300) / 2 ** count);
}

// Stretches of all sequences in which a unit does what it does in the picked one: [sequence, first step].
function alike(row, unit, b, [from, to], B, T) {
  const low = Math.min(from, to), n = Math.abs(to - from) + 1, mine = row(b, unit).slice(low, low + n), found = [];
  for (let other = 0; other < B; other++) {
    const values = row(other, unit);
    for (let t = 0; t + n <= T; t++) {
      if (other === b && Math.abs(t - low) < n) continue;
      let apart = 0;
      for (let k = 0; k < n; k++) apart = Math.max(apart, Math.abs(values[t + k] - mine[k]));
      if (apart < 0.1) found.push([other, t, n, apart]);
    }
  }
  return found.sort((a, c) => a[3] - c[3]).slice(0, 60);
}

// ---- drawing

function colors(root) {
  const style = getComputedStyle(root);
  return Object.fromEntries(["paper", "ink", "soft", "line", "orange", "pink", "blue", "green"].map((n) => [n, style.getPropertyValue(`--${n}`).trim()]));
}

function brush(canvas, height) {
  const scale = window.devicePixelRatio || 1, width = canvas.wide || 320;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "11px system-ui, sans-serif";
  return [pen, width, height];
}

function plot(canvas, lines, color, {zero, log, cut = -1, marks = []}) {
  const [pen, width, height] = brush(canvas, 130);
  const all = lines.flatMap((l) => l.values).filter(Number.isFinite), count = Math.max(2, ...lines.map((l) => l.values.length));
  let low = Math.min(...all, ...(zero ? [0] : [])), high = Math.max(...all);
  if (!all.length) { low = 0; high = 1; }
  if (high - low < 1e-9) { high += 0.5; low -= 0.5; }
  const X = (t) => LEFT + t / (count - 1) * (width - EDGES), Y = (v) => 8 + (high - v) / (high - low) * (height - 24);
  pen.fillStyle = color.soft;
  pen.strokeStyle = color.line;
  for (const v of [low, high]) {
    pen.beginPath();
    pen.moveTo(LEFT, Y(v));
    pen.lineTo(width - 8, Y(v));
    pen.stroke();
    pen.fillText(log ? `1e${Math.round(v)}` : said(v), 0, Y(v) + 4);
  }
  pen.fillText("1", LEFT, height - 2);
  pen.textAlign = "right";
  pen.fillText(String(Math.max(...lines.map((l) => l.values.length))), width - 8, height - 2);
  pen.textAlign = "left";
  pen.globalAlpha = 0.25;
  pen.fillStyle = color.orange;
  for (const [, t, n] of marks) pen.fillRect(X(t) - 2, 8, X(t + n - 1) - X(t) + 4, height - 24);
  pen.globalAlpha = 1;
  if (cut > 0) {
    pen.strokeStyle = color.pink;
    pen.setLineDash([4, 3]);
    pen.beginPath();
    pen.moveTo(X(cut - 0.5), 4);
    pen.lineTo(X(cut - 0.5), height - 14);
    pen.stroke();
    pen.setLineDash([]);
  }
  for (const {values, color: stroke, dots, dashed, loose, mark = -1} of lines) {
    pen.strokeStyle = pen.fillStyle = stroke;
    pen.lineWidth = 1.6;
    pen.setLineDash(dashed ? [5, 3] : []);
    pen.beginPath();
    let down = false;
    values.forEach((v, t) => {
      if (!Number.isFinite(v)) { down = false; return; }
      if (down && !loose) pen.lineTo(X(t), Y(v)); else pen.moveTo(X(t), Y(v));
      down = true;
    });
    pen.stroke();
    if (dots && values.length <= 120) {
      values.forEach((v, t) => {
        if (!Number.isFinite(v)) return;
        pen.beginPath();
        pen.arc(X(t), Y(v), t === mark ? 5 : 2.5, 0, 7);
        pen.fill();
      });
    }
  }
  pen.setLineDash([]);
  pen.lineWidth = 1;
  return [low, high];
}

function heat(canvas, rows, color, {unit = -1, stretch = null, marks = [], cell = null, cells = cell ? [cell] : [], words = "", letters = null}) {
  const side = Math.max(4, Math.min(16, Math.floor(160 / rows.length)));
  const [pen, width] = brush(canvas, side * rows.length + (letters ? 30 : 16)), columns = rows[0].length, n = rows.length;
  const most = Math.max(1e-9, ...rows.flat().map(Math.abs)), wide = (width - EDGES) / columns;
  rows.forEach((row, u) => row.forEach((v, t) => {
    pen.globalAlpha = Math.min(1, Math.abs(v) / most);
    pen.fillStyle = v < 0 ? color.pink : color.blue;
    pen.fillRect(LEFT + t * wide, (n - 1 - u) * side, Math.max(wide - 0.5, 0.5), side - 0.5);
  }));
  pen.globalAlpha = 1;
  pen.fillStyle = color.soft;
  pen.fillText(words ? words : `largest ${said(most)}`, LEFT, side * n + (letters ? 26 : 12));
  if (letters && wide >= 6) {
    pen.textAlign = "center";
    letters.forEach((letter, t) => pen.fillText(letter, LEFT + (t + 0.5) * wide, side * n + 11));
    pen.textAlign = "left";
  }
  pen.strokeStyle = color.orange;
  pen.lineWidth = 2;
  if (unit >= 0) pen.strokeRect(LEFT, (n - 1 - unit) * side, width - EDGES, side);
  for (const [row, column] of cells) pen.strokeRect(LEFT + column * wide, row * side, Math.max(wide, 2), side);
  const frame = (t, length) => pen.strokeRect(LEFT + t * wide, 0, length * wide, n * side);
  pen.strokeStyle = color.ink;
  if (stretch) frame(Math.min(...stretch), Math.abs(stretch[1] - stretch[0]) + 1);
  pen.strokeStyle = color.orange;
  pen.setLineDash([3, 3]);
  for (const [, t, length] of marks) frame(t, length);
  pen.setLineDash([]);
  pen.lineWidth = 1;
}

function bars(canvas, rows, color, T) {
  const tall = 30, [pen, width] = brush(canvas, Math.max(1, rows.length) * tall + 14), names = 92, wide = (width - names - 56) / T;
  rows.forEach(({name, parts, size}, k) => {
    const most = Math.max(1e-30, ...parts.map(Math.abs)), middle = k * tall + tall / 2;
    pen.fillStyle = color.ink;
    pen.fillText(name.length > 14 ? `${name.slice(0, 13)}…` : name, 0, middle + 4);
    pen.fillStyle = color.pink;
    parts.forEach((v, t) => {
      const h = v / most * (tall / 2 - 3);
      pen.fillRect(names + t * wide, h > 0 ? middle - h : middle, Math.max(wide - 1, 0.7), Math.max(Math.abs(h), 0.4));
    });
    pen.fillStyle = color.soft;
    pen.fillText(`Σ ${said(size)}`, width - 52, middle + 4);
  });
  pen.fillStyle = color.soft;
  pen.fillText("t = 1", names, rows.length * tall + 11);
  pen.fillText(String(T), names + (T - 1) * wide, rows.length * tall + 11);
}

// ---- all models of the page

class LivePage {
  constructor(models, data) {
    this.panels = [];
    models.forEach((model, k) => {
      const root = document.getElementById(`live-panel-${k}`);
      if (data[k].why) root.append($("p", {}, data[k].why));
      else this.panels.push(new Panel(root, model, data[k], this));
    });
    if (document.querySelector(".tools")) this.beside();
    this.situations();
    const again = () => this.panels.forEach((panel) => panel.draw());
    const html = document.documentElement;
    let width = html.clientWidth;  // for which all is drawn already
    new ResizeObserver(() => { if (html.clientWidth !== width) { width = html.clientWidth; again(); } }).observe(html);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  }

  // On a page with the picture of a graph: one of the two is to be seen.
  beside() {
    const html = document.documentElement, live = document.getElementById("live");
    live.addEventListener("keydown", (event) => event.stopPropagation());  // the picture has keys of its own
    const choose = (on) => {
      html.classList.toggle("show-live", on);
      live.setAttribute("role", on ? "main" : "region");  // one of them is what the page is about
      recorded.setAttribute("aria-pressed", !on);
      running.setAttribute("aria-pressed", on);
      if (on) for (const panel of this.panels) panel.draw();
      else for (const panel of this.panels) if (panel.playing) panel.play(false);
    };
    const recorded = $("button", {type: "button", onclick: () => choose(false)}, "Recorded");
    const running = $("button", {type: "button", onclick: () => choose(true)}, "Live");
    const group = $("div", {className: "group live-choice"}, recorded, running);
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", "Recorded or live");
    document.querySelector(".top").prepend(group);
    html.classList.add("with-live");
    choose(location.hash === "#live");
  }

  // Buttons in the words above: each brings models into a situation; `panel` counts from 0, all without one.
  situations() {
    for (const button of document.querySelectorAll("[data-situation]")) {
      button.addEventListener("click", () => {
        for (const each of JSON.parse(button.dataset.situation)) {
          this.panels.forEach((panel, k) => { if (each.panel === undefined || each.panel === k) panel.situation(each); });
        }
        this.panels[0].root.parentNode.scrollIntoView({block: "start"});
        this.panels[0].tell(`${button.textContent}: done.`);
      });
    }
  }

  // Films run side by side.
  frame(k) {
    for (const panel of this.panels) if (panel.frame) panel.frame(k);
  }
}
