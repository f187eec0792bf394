// What can one do? Change levels, move the window, search, ask "what if", use the keys.

const views = new Map(data.views.map((spec) => [spec.level, new View(spec)]));
const LEVELS = { layer: "Layers", cell: "Cells", op: "Ops", scalar: "Scalars" };

// ---- levels

// Show another level. The step of `item` stays where it is on the screen, and keeps the focus.
function setLevel(level, item = null) {
  const next = views.get(level);
  if (!next || next === state.view) return;
  const before = state.view;
  const old = item && before && item.chain ? before.cell(item.chain, item.first) ?? item : null;
  const screen = old ? (middle(boxOf(old)).x - camera.x) * camera.scale : 0;
  before?.svg.classList.remove("dim");
  before?.svg.remove();
  stage.prepend(next.svg);
  state.view = next;
  state.found = [];
  for (const button of $("levels").children) button.setAttribute("aria-pressed", String(button.value === level));
  next.renumber();
  const target = old ? next.cell(old.chain, old.first) : null;
  const kin = item ? kinOf(item, next) : null;
  if (target) {
    const box = boxOf(target);
    const scale = Math.max(0.3, Math.min(1.5, (stage.clientWidth - 40) / (box.w * 1.5), Math.max(fitting(next.box), (stage.clientHeight - 24) / next.box.h)));
    const limit = Math.max(0, stage.clientWidth / 2 - (box.w * scale) / 2 - 8);
    const x = Math.max(-limit, Math.min(limit, screen));
    fly({ x: middle(box).x - x / scale, y: middle(next.box).y, scale }, true);
    focusOn(target);
  } else {
    state.at = null;
    home(true);
    if (kin) focusOn(kin);
    else focusOn(next.targets.find((each) => each.kind === "param") ?? next.targets[0], false);
  }
  ownWeights();
  light();
  markSteps();
  showWindow();
  if ($("search").value) search();
}

// The layer of a cell, or the first cell of a layer.
function kinOf(item, view) {
  if (item.kind === "layer") {
    const key = Object.keys(data.chains).find((chain) => data.chains[chain].layer === item.layer);
    return key ? view.list.find((other) => other.kind === "cell" && other.chain === key) : null;
  }
  const layer = data.chains[item.chain]?.layer;
  return layer ? view.list.find((other) => other.layer === layer) : null;
}

function enter(item) {
  if (item.kind === "param") { pin(item.params[0]); panel(item); return; }
  if (item.kind === "fold") {
    if (item.view.movable && item.slot) moveWindow(Math.floor((item.slot.first + item.slot.last) / 2), item);
    return;
  }
  const order = [...views.keys()];
  const deeper = order[order.indexOf(item.view.level) + 1];
  if (deeper && (item.chain || item.kind === "layer")) setLevel(deeper, item);
  else panel(item);
}

function leave() {
  const order = [...views.keys()];
  const wider = order[order.indexOf(state.view.level) - 1];
  if (wider) setLevel(wider, state.at);
}

// ---- the window of a long graph

function moveWindow(first, keep = null) {
  if (!state.view.movable) return;
  const [low, high] = state.view.range;
  state.shift = Math.max(low, Math.min(high, first));
  for (const view of views.values()) view.renumber();
  showWindow();
  ownWeights();
  light();
  markSteps();
  if (keep) panel(keep);
  else panel();
  if (state.at) ringAt(state.at, state.at.g.matches(":focus-visible"));
}

function showWindow() {
  const view = state.view;
  $("window").hidden = !view.movable;
  if (!view.movable) return;
  const [low, high] = view.range;
  const slider = $("shift");
  [slider.min, slider.max, slider.value] = [low, high, state.shift];
  const words = `t = ${state.shift}, ${state.shift + 1}`;
  $("shifted").textContent = words;
  slider.setAttribute("aria-valuetext", words);
}

// ---- what if each step had its own weights?

function ownWeights() {
  const view = state.view;
  view.svg.classList.toggle("own", state.own);
  for (const old of view.svg.querySelectorAll(".copy")) old.remove();
  if (!state.own) return;
  const taps = view.targets.filter((item) => item.kind === "use");
  const inside = new Set();
  taps.filter((item) => item.chain).forEach((item) => item.params.forEach((k) => partsOf(view, k).forEach((part) => {
    if (part.kind !== "use" && part !== item.head && (part.kind === "param" || !part.head) && !taps.some((tap) => tap.head === part)) inside.add(part);
  })));
  for (const item of view.list) item.g.classList.toggle("slabbed", inside.has(item) || item.kind === "bus" || item.kind === "riser");
  for (const item of taps) {
    item.g.classList.toggle("mine", Boolean(item.chain));
    if (!item.chain || item.g.classList.contains("empty")) continue;
    const start = item.g.querySelector("path").getPointAtLength(0);
    const step = item.slot ? (item.slot.folded ? `${item.slot.first}…${item.slot.last}` : `${item.slot.first}`) : `${item.first}`;
    const wide = item.params.length > 1 ? Math.max(34, 14 + 5.5 * (step.length + 4)) : 9;
    const tall = item.params.length > 1 ? 18 : 9;
    const copy = drawn("g", { class: "copy" });
    copy.append(drawn("rect", { x: start.x - wide / 2, y: start.y - tall / 2, width: wide, height: tall, rx: 2 }));
    if (item.params.length > 1) copy.append(drawn("text", { x: start.x, y: start.y + 3.2 }, `own ${step}`));
    view.ring.before(copy);
  }
}

function compare() {
  const T = Number($("own-range").value);
  const [shared, own] = [data.shared, data.shared * T];
  $("own-steps").textContent = T.toLocaleString("en");
  $("own-total").textContent = `${T.toLocaleString("en")} × ${shared.toLocaleString("en")} = ${own.toLocaleString("en")} numbers`;
  $("own-words").textContent = `to learn instead of ${shared.toLocaleString("en")}, each seen by one step alone, and none left for t = ${T + 1}.`;
  $("shared-count").textContent = shared.toLocaleString("en");
  $("own-count").textContent = own.toLocaleString("en");
  const most = Number($("own-range").max);
  $("shared-bar").style.width = `${Math.max(1, 100 / most)}%`;
  $("own-bar").style.width = `${Math.max(1, (100 * T) / most)}%`;
}

function ask() {
  state.own = !state.own;
  $("whatif").hidden = !state.own;
  document.querySelector("[data-do=whatif]").setAttribute("aria-pressed", String(state.own));
  for (const view of views.values()) for (const item of view.list) if (!state.own) item.g.classList.remove("slabbed");
  ownWeights();
  compare();
}

// ---- search

// A step `t:3`, a Parameter `param:W_hh`, else a part of a name, an op or a module; all words must fit.
function finder(words) {
  const tests = words.toLowerCase().split(/\s+/).filter(Boolean).map((word) => {
    const [key, value] = /^(t|param):(.*)$/.exec(word)?.slice(1) ?? [];
    if (key === "t") return (item) => value !== "" && stepsOf(item).includes(Number(value));
    if (key === "param") {
      const fits = (p) => value !== "" && (p.short.toLowerCase().startsWith(value) || p.name.toLowerCase().includes(value));
      return (item) => item.params.some((k) => fits(params[k]));
    }
    return (item) => item.kind !== "use" && texts_(item).includes(word);
  });
  return (item) => tests.length > 0 && tests.every((test) => test(item));
}

function texts_(item) {
  const node = nodeOf(item);
  const facts = node === null ? null : nodeFacts(node);
  const more = facts ? [facts.op, facts.name, facts.path] : [];
  return [texts(item), item.params.map((k) => params[k].name).join(" "), ...more].join(" ").toLowerCase();
}

function stepsOf(item) {
  if (item.first === undefined || item.slot?.folded) return [];
  return [item.view.now(item.first)];
}

function search() {
  const words = $("search").value.trim();
  const step = /(?:^|\s)t:(\d+)/.exec(words);
  if (step && state.view.movable && !state.view.shows(Number(step[1]))) {
    const [low, high] = state.view.range;
    if (Number(step[1]) >= low && Number(step[1]) <= high + 1) moveWindow(Number(step[1]));
  }
  const test = finder(words);
  state.found = state.view.targets.filter(test);
  let said = words ? `${state.found.length} found` : "";
  if (words && !state.found.length) {
    const other = [...views.values()].find((view) => view !== state.view && view.targets.some(test));
    if (other) said = `in ${LEVELS[other.level].toLowerCase()}: Enter`;
  }
  $("found").textContent = said;
  light();
}

function nextFound() {
  if (!state.found.length) {
    const test = finder($("search").value);
    const other = [...views.values()].find((view) => view !== state.view && view.targets.some(test));
    if (other) setLevel(other.level);
    search();
  }
  const at = state.found.indexOf(state.at);
  const item = state.found[(at + 1) % state.found.length];
  if (item) focusOn(item);
}

// ---- keys

function nextUse() {
  const item = state.at;
  const k = state.pinned !== null && (!item || item.kind !== "param") ? state.pinned : item?.params[0] ?? state.pinned ?? 0;
  const taps = state.view.targets.filter((other) => other.kind === "use" && other.params.includes(k) && !other.g.classList.contains("empty"));
  taps.sort((a, b) => (usesOf(a, k)[0] ?? 1e9) - (usesOf(b, k)[0] ?? 1e9));
  focusOn(taps[(taps.indexOf(item) + 1) % taps.length]);
}

function move(key) { // the same thing a step away, else what is nearest in that direction
  const item = state.at ?? state.view.targets.find((each) => each.g.tabIndex === 0);
  if (!item) return;
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  const others = state.view.targets.filter((other) => other !== item && !other.g.classList.contains("empty"));
  const here = middle(boxOf(item));
  const far = (other) => {
    const there = middle(boxOf(other));
    const [ahead, aside] = dx ? [(there.x - here.x) * dx, Math.abs(there.y - here.y)] : [(there.y - here.y) * dy, Math.abs(there.x - here.x)];
    return ahead < 1 ? Infinity : ahead + 2.5 * aside;
  };
  const alike = dx && item.role !== undefined ? others.filter((o) => o.chain === item.chain && o.role === item.role && far(o) < Infinity) : [];
  const inside = alike.length ? alike : others.filter((o) => STEPS.has(o.kind) === STEPS.has(item.kind) && far(o) < Infinity);
  const list = inside.length ? inside : others.filter((o) => far(o) < Infinity);
  list.sort((a, b) => far(a) - far(b));
  focusOn(list[0]);
}

function letGo() {
  if (state.own) ask();
  pause();
  $("search").value = "";
  $("found").textContent = "";
  state.found = [];
  state.pinned = null;
  tip.hidden = true;
  panel(null);
  light();
  drawTimes();
  document.activeElement?.blur?.();
}

function download() {
  const copy = state.view.svg.cloneNode(true);
  const { x, y, w, h } = state.view.box;
  copy.setAttribute("viewBox", `${x} ${y} ${w} ${h}`);
  copy.setAttribute("width", `${w}pt`);
  copy.setAttribute("height", `${h}pt`);
  copy.setAttribute("xmlns", SVG);
  copy.setAttribute("font-family", "Helvetica, Arial, sans-serif");
  copy.querySelectorAll(".ring, .badge, .copy").forEach((part) => part.remove());
  for (const g of copy.querySelectorAll("g")) for (const name of ["role", "tabindex", "aria-label", "aria-pressed", "style"]) g.removeAttribute(name);
  for (const name of ["role", "aria-label", "class", "id"]) copy.removeAttribute(name);
  const link = element("a", { download: `${data.title.replace(/[^\w]+/g, "_")}_${state.view.level}.svg` });
  link.href = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function keys() {
  $("keys").showModal();
}

const actions = {
  in: () => zoom(1.3), out: () => zoom(1 / 1.3), fit: () => fit(), play, back, download, keys, whatif: ask,
  earlier: () => moveWindow(state.shift - 1), later: () => moveWindow(state.shift + 1),
  close: () => $("keys").close(),
};
document.addEventListener("click", (event) => {
  const name = event.target.closest?.("[data-do]")?.dataset.do;
  if (name) actions[name]();
});

const KEYS = {
  u: nextUse, b: back, "/": () => $("search").focus(), 0: () => fit(), "+": actions.in, "=": actions.in, "-": actions.out,
  "[": actions.earlier, "]": actions.later, "?": keys, Backspace: leave, Escape: letGo,
  Enter: () => state.at && enter(state.at),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  const typing = event.target.matches?.("input, select, textarea");
  if (typing && event.key !== "Escape") {
    if (event.target.id === "search" && event.key === "Enter") { event.preventDefault(); nextFound(); }
    return;
  }
  const onButton = event.target.matches?.("button, summary");
  const reading = event.target.closest?.(".panel"); // where arrows and the space bar scroll
  if (event.key.startsWith("Arrow") && !reading) move(event.key);
  else if (event.key === " " && !onButton && !reading && learned.length) play();
  else if (KEYS[event.key] && !(onButton && event.key === "Enter")) KEYS[event.key]();
  else return;
  event.preventDefault();
});

$("search").addEventListener("input", search);
document.querySelector(".search").addEventListener("submit", (event) => event.preventDefault());
$("shift").addEventListener("input", (event) => moveWindow(Number(event.target.value)));
$("own-range").addEventListener("input", compare);

// ---- begin

document.documentElement.classList.add("js");
for (const view of views.values()) {
  const button = element("button", { type: "button", value: view.level, "aria-pressed": "false" }, LEVELS[view.level] ?? view.level);
  button.addEventListener("click", () => setLevel(view.level, state.at));
  $("levels").append(button);
}
$("levels").hidden = views.size < 2;
const movable = [...views.values()].find((view) => view.movable);
if (movable) state.shift = movable.spec.columns[movable.spec.window[0]][0];
$("question").hidden = !data.shared || data.steps < 2;
$("own-range").max = Math.max(20, 4 * data.steps);
$("own-range").value = data.steps;
makeDock();
setLevel(data.level);
panel(null);
drawTimes();
new ResizeObserver(() => { resting(); drawScale(); }).observe(stage);
