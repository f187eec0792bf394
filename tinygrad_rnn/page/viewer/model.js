// What is there? The data of the page, the pictures, and what each of their parts means.

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const ARRAYS = { f4: Float32Array, f8: Float64Array, i4: Int32Array, u2: Uint16Array, u1: Uint8Array };
const BEFORE = -1, AFTER = -2; // positions outside time

function unpack(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(unpack);
  const keys = Object.keys(value);
  if (keys.length === 1 && ARRAYS[keys[0]]) {
    const bytes = Uint8Array.from(atob(value[keys[0]]), (c) => c.charCodeAt(0));
    return new ARRAYS[keys[0]](bytes.buffer);
  }
  return Object.fromEntries(keys.map((key) => [key, unpack(value[key])]));
}

const data = unpack(JSON.parse($("data").textContent));
const params = data.parameters;
const rowOf = new Map(Array.from(data.nodes.id, (id, row) => [id, row])); // node -> row of the table
const paramOfNode = new Map(params.map((p, k) => [p.node, k]));
const columnOf = new Map(data.positions.map((p, k) => [p, k])); // step or BEFORE, AFTER -> column
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const state = {
  view: null, // the picture on the stage
  at: null, // the part that has the focus
  hover: null,
  pinned: null, // index of a Parameter
  found: [], // what the search found
  time: data.positions.length, // columns from here on have said their part
  measure: "along",
  shift: null, // the first step of the window, from 1
  own: false, // "what if each step had its own weights?"
};

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// ---- words

const plural = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

function number(x) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  if (!Number.isFinite(x)) return x > 0 ? "Inf" : "-Inf";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e5 || size < 1e-3) return x.toExponential(2).replace("-", "−").replace("e+", "e");
  return String(Number(x.toPrecision(3))).replace("-", "−");
}

const asSub = (n) => String(n).replace(/\d/g, (d) => "₀₁₂₃₄₅₆₇₈₉"[d]);
const fromSub = (s) => Number(s.replace(/[₀-₉]/g, (c) => "₀₁₂₃₄₅₆₇₈₉".indexOf(c)));
const positionName = (p) => (!data.steps ? "all" : p === BEFORE ? "before" : p === AFTER ? "after" : `t = ${p + 1}`);

// ---- pictures

// What can be pointed at; the others are lines, dots and free texts.
const TARGETS = new Set(["use", "cell", "fold", "param", "layer", "state", "io", "band", "gate", "z", "op", "module", "loss"]);
const STEPS = new Set(["cell", "fold"]);

// One picture: its parts by id, its columns, and how its steps are numbered when its window has moved.
class View {
  constructor(spec) {
    this.level = spec.level;
    this.spec = spec;
    this.svg = $(`svg-${spec.level}`) || $(`view-${spec.level}`).content.querySelector("svg");
    const [x, y, w, h] = this.svg.getAttribute("viewBox").split(/\s+/).map(Number);
    this.box = { x, y, w, h };
    this.slots = spec.columns.map(([first, last, folded]) => ({ first, last, folded }));
    this.numbers = new Map();
    this.items = spec.parts.map((part) => ({ ...part, view: this, params: part.params ?? [] }));
    for (const g of this.svg.querySelectorAll("[data-part]")) this.add(g);
    this.list = this.items.filter((item) => item.g);
    for (const item of this.list) for (const end of ["tail", "head", "owner"]) item[end] = this.items[item[end]];
    this.targets = this.list.filter((item) => item.target);
    for (const item of this.targets) {
      item.g.setAttribute("role", "button");
      item.g.setAttribute("tabindex", "-1");
    }
    this.svg.setAttribute("role", "group");
    this.svg.setAttribute("aria-label", data.title);
    this.svg.removeAttribute("width");
    this.svg.removeAttribute("height");
    this.svg.querySelector("g").append((this.ring = drawn("rect", { class: "ring", rx: 5, visibility: "hidden" })));
    this.lights = new Map();
    this.renumber();
  }

  add(g) { // what the picture says of a part, beside what the page says that it means
    const item = this.items[Number(g.dataset.part)];
    item.g = g;
    item.id = g.dataset.id;
    item.texts = Array.from(g.querySelectorAll("text"), (t) => [t, t.textContent]);
    item.target = TARGETS.has(item.kind);
    item.slot = this.slots.find((s) => s.first === item.first && item.chain);
    if (item.uses) g.classList.add("uses");
  }

  get movable() { return Boolean(this.spec.window); }

  get range() { // where the window may begin
    const [a, b] = this.spec.window;
    return [this.spec.span[0], this.spec.span[1] - (b - a)];
  }

  renumber() { // say the steps that the columns show now
    if (this.movable && state.shift !== null) {
      const [a, b] = this.spec.window;
      const m = state.shift;
      for (let k = a; k <= b; k++) this.slots[k].first = this.slots[k].last = m + k - a;
      this.slots[a - 1].last = m - 1;
      this.slots[b + 1].first = m + b - a + 1;
    }
    this.numbers.clear();
    this.spec.columns.forEach(([first, last], k) => {
      this.numbers.set(first, this.slots[k].first);
      this.numbers.set(last, this.slots[k].last);
    });
    for (const item of this.list) {
      if (!item.chain) continue;
      for (const [text, original] of item.texts) text.textContent = this.said(original, item);
      if (item.first !== undefined) item.g.dataset.t = this.now(item.first);
      const empty = item.slot?.folded && item.slot.first > item.slot.last;
      item.g.classList.toggle("empty", Boolean(empty));
    }
    for (const item of this.targets) item.g.setAttribute("aria-label", label(item));
  }

  now(n) { return this.numbers.get(n) ?? n; }

  said(text, item) { // a label of the picture with the steps of now
    if (!this.movable) return text;
    const slot = item.slot;
    if (slot?.folded) {
      const k = this.slots.indexOf(slot);
      const [first, last] = this.spec.columns[k];
      const [was, is] = [last - first + 1, slot.last - slot.first + 1];
      if (/^x \d+ steps?$/.test(text)) return is ? `x ${is} step${is === 1 ? "" : "s"}` : "nothing folded";
      if (/^[\d to]+ uses?$/.test(text)) {
        return text.replace(/\d+/g, (n) => Math.round((n / was) * is)).replace(/uses?$/, is === 1 ? "use" : "uses");
      }
      if (is < 1 && /[₀-₉]|t = /.test(text)) return "·";
      if (is === 1) text = text.replace(/ … .*$/, "");
    }
    return text
      .replace(/[₀-₉]+/g, (s) => asSub(this.now(fromSub(s))))
      .replace(/\bt = (\d+)(?: … (\d+))?/, (_, a, b) => `t = ${this.now(Number(a))}${b ? ` … ${this.now(Number(b))}` : ""}`);
  }

  shows(step) { // whether a step (from 1) has a column of its own now
    return this.slots.some((slot) => !slot.folded && slot.first <= step && step <= slot.last);
  }

  cell(chain, first) { // the frame of a step, by the number it had when it was drawn
    return this.list.find((item) => STEPS.has(item.kind) && item.chain === chain && item.first === first);
  }

  textsOf(owner) { // the free texts that belong to a part
    return this.list.filter((item) => item.owner === owner);
  }
}

// The node that a part stands for, also when its column shows another step.
function nodeOf(item) {
  const node = item.node;
  if (node === undefined) return null;
  const moved = item.view.now(item.first) - item.first;
  if (!item.chain || !moved) return node;
  const chain = data.chains[item.chain];
  if (!chain?.rows) return null;
  const row = (step) => chain.rows.subarray((step - chain.first) * chain.width, (step - chain.first + 1) * chain.width);
  for (const step of [item.first, item.first + 1, item.first - 1]) { // a state's pill is numbered by its maker
    const place = row(step).indexOf(node);
    if (place >= 0) {
      const there = row(step + moved)[place];
      return there === undefined || there < 0 ? null : there;
    }
  }
  return null;
}

function nodeFacts(node) {
  const row = rowOf.get(node);
  if (row === undefined) return null;
  const t = data.nodes;
  const [op, shape, dtype, path, detail, source] = t.kinds[t.kind[row]];
  const [min, mean, max, std, norm, gradient, nan, inf, zero] = t.stats.subarray(row * 9, row * 9 + 9);
  const size = (shape.match(/\d+/g) ?? []).reduce((n, side) => n * Number(side), 1);
  const facts = { op, shape, dtype, path, detail, source, size, name: t.names[t.name[row]], step: t.step[row] };
  Object.assign(facts, { min, mean, max, std, norm, gradient, nan, inf, zero });
  if (t.at[row] >= 0) facts.values = t.values.subarray(t.at[row], t.at[row] + size);
  if (t.bins[row] >= 0) facts.bins = t.histograms.subarray(t.bins[row] * 24, t.bins[row] * 24 + 24);
  return facts;
}

// ---- what a part is called

function texts(item) {
  const inner = [...item.texts, ...(item.kind === "gate" ? item.view.textsOf(item).flatMap((other) => other.texts) : [])];
  return inner.map(([text]) => text.textContent).join(" ").trim();
}

function label(item) {
  const step = item.first === undefined ? null : item.view.now(item.first);
  if (item.kind === "param") {
    const p = params[item.params[0]];
    return p ? `Parameter ${p.short}, ${p.name}, ${p.shape}, ${plural(p.uses.length, "use")} of one object` : item.id;
  }
  if (item.kind === "use") return item.params.map((k) => `${params[k].short}: ${sayUse(item, k)}`).join("; ");
  if (item.kind === "fold") return foldWords(item) + (item.view.movable && item.slot ? ": Enter brings them into view" : "");
  if (item.kind === "layer") return `${texts(item)}: Enter opens its cells`;
  if (item.kind === "cell") return `${data.chains[item.chain]?.title ?? "step"}, t = ${step}`;
  const said = texts(item) || item.id;
  return item.chain && !/[₀-₉]/.test(said) ? `${said}, t = ${step}` : said;
}

function foldWords(item) {
  const slot = item.slot;
  if (!slot) return item.view.textsOf(item).map(texts)[0] ?? texts(item);
  const count = slot.last - slot.first + 1;
  return count < 1 ? "no steps folded" : `t = ${slot.first} … ${slot.last}, ${plural(count, "step")} folded`;
}

// Which of a Parameter's uses a tap is, counted from 1: [first, last].
const knownUses = new Map(); // they are asked for at every move of the slider

function usesOf(item, k) {
  const slot = item.slot ?? item;
  const key = `${k} ${item.when ?? ""} ${slot.first} ${slot.last}`;
  if (!knownUses.has(key)) {
    if (knownUses.size > 4000) knownUses.clear();
    knownUses.set(key, findUses(item, k));
  }
  return knownUses.get(key);
}

function findUses(item, k) {
  const p = params[k];
  const columns = (test) => Array.from(p.uses, (c, i) => (test(data.positions[c]) ? i + 1 : 0)).filter(Boolean);
  if (item.when) return columns((s) => s < 0);
  const slot = item.slot;
  const [first, last] = slot ? [slot.first, slot.last] : [item.first, item.last];
  return first === undefined ? columns(() => true) : columns((s) => s + 1 >= first && s + 1 <= last);
}

function sayUse(item, k) {
  const uses = usesOf(item, k);
  const total = params[k].uses.length;
  if (!uses.length) return "no use here";
  const [first, last] = [uses[0], uses[uses.length - 1]];
  const which = first === last ? `use ${first}` : `uses ${first} to ${last}`;
  return `${which} of ${total.toLocaleString("en")}, same object`;
}
