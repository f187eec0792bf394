// How does backward go? From the last step to the first, each adds its part to every Parameter's gradient.

const columns = data.positions.length;
const learned = params.flatMap((p, k) => (p.gradient ? [k] : [])); // those that a gradient reaches
const MOST_BARS = 400;
let playing = 0;
const charts = new Map();

function said(k) { // what columns from state.time on add along the whole gradient; its exact sum
  const along = params[k].gradient.along;
  let sum = 0;
  for (let c = columns - 1; c >= state.time; c--) sum += along[c];
  return sum;
}

const finite = (v) => (Number.isFinite(v) ? v : 0); // what can be drawn
const running = (k) => (state.time < columns ? params[k].gradient.running[state.time] : 0);

function bars(k) { // the heights of a chart's bars: [first column, last column, value]
  const { along, norms } = params[k].gradient;
  const size = Math.ceil(columns / MOST_BARS);
  const result = [];
  for (let c = 0; c < columns; c += size) {
    const end = Math.min(c + size, columns);
    let value = 0;
    for (let i = c; i < end; i++) {
      if (state.measure === "along") value += finite(along[i]);
      else value = Math.max(value, finite(norms[i]));
    }
    result.push([c, end - 1, value]);
  }
  return result;
}

function drawChart(k) {
  const svg = charts.get(k);
  const H = 30;
  let list = bars(k);
  if (state.measure === "log") {
    const logs = list.map(([, , v]) => (v > 0 ? Math.log10(v) : NaN));
    const known = logs.filter(Number.isFinite);
    const low = Math.floor((known.length ? Math.min(...known) : 0) - 0.001);
    const high = Math.ceil((known.length ? Math.max(...known) : 0) + 0.001);
    list = list.map(([a, b], i) => [a, b, Number.isFinite(logs[i]) ? (logs[i] - low) / (high - low) : 0]);
    svg.setAttribute("aria-label", `${params[k].short}: log10 of each step's norm, from ${low} to ${high}`);
  } else {
    const what = state.measure === "along" ? "part of each step along the whole gradient" : "norm of each step's part";
    svg.setAttribute("aria-label", `${params[k].short}: ${what}`);
  }
  const high = Math.max(...list.map(([, , v]) => v), 0);
  const low = Math.min(...list.map(([, , v]) => v), 0);
  const y = (v) => 2 + (H - 4) * (high - low ? (high - v) / (high - low) : 1);
  const zero = y(0);
  const gap = columns > 40 ? 0.06 : columns > 12 ? 0.14 : 0.3;
  svg.setAttribute("viewBox", `0 0 ${columns} ${H}`);
  svg.replaceChildren(
    drawn("line", { x1: 0, x2: columns, y1: zero, y2: zero }),
    ...list.map(([a, b, v]) => {
      const top = Math.min(y(v), zero);
      const rect = drawn("rect", { x: a + gap, width: b + 1 - a - 2 * gap, y: top, height: v ? Math.max(Math.abs(zero - y(v)), 0.8) : 0 });
      rect.dataset.column = a;
      return rect;
    }),
    drawn("line", { class: "head", y1: 0, y2: H }),
  );
}

function makeDock() {
  if (!learned.length) return;
  $("dock").hidden = false;
  const time = $("time");
  time.min = 0;
  time.max = columns;
  time.addEventListener("input", () => { pause(); moveTo(columns - Number(time.value)); });
  $("measure").addEventListener("change", (event) => { state.measure = event.target.value; drawCharts(); drawTimes(); panel(); });
  for (const k of learned) {
    const svg = drawn("svg", { preserveAspectRatio: "none", role: "img" });
    charts.set(k, svg);
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      pause();
      moveTo(Math.max(0, Math.min(columns - 1, Math.floor(((event.clientX - box.left) / box.width) * columns))));
    });
    const name = element("button", { type: "button", class: "name", title: params[k].name, "aria-pressed": "false" }, params[k].short);
    name.addEventListener("click", () => { pin(k); panelOf(k); });
    const chart = element("span", { class: "chart" });
    chart.append(svg);
    const row = element("div", { class: "row" }, name, chart, element("span", { class: "sum" }));
    row.dataset.param = params[k].name;
    $("rows").append(row);
  }
  drawCharts();
  moveTo(columns);
}

function drawScale() { // as many names of steps as have room
  const where = $("scale").querySelector(".chart");
  const room = Math.max(2, Math.floor(where.clientWidth / 52));
  const every = Math.ceil(columns / room);
  where.replaceChildren();
  data.positions.forEach((p, c) => {
    const end = c === 0 || c === columns - 1;
    if (!end && (c % every || columns - 1 - c < every * 0.8)) return;
    const name = element("i", {}, positionName(p));
    name.style.left = `${((c + 0.5) / columns) * 100}%`;
    where.append(name);
  });
}

function drawCharts() {
  for (const k of learned) drawChart(k);
}

function when() { // what the slider says
  if (state.time === columns) return "before the backward pass: the loss is known, its gradient is 1";
  const here = data.positions[state.time];
  const last = data.positions.reduce((most, p) => Math.max(most, p), -1) + 1;
  if (state.time === 0) return `${here >= 0 ? "t = 1: " : ""}every use has added its part: together they are the whole gradient`;
  if (here === AFTER) return "after the steps: heads and loss have added their part";
  return here + 1 === last ? `t = ${last} has added its part` : `t = ${here + 1}: steps ${here + 1} to ${last} have added their part`;
}

function moveTo(column) {
  state.time = Math.max(0, Math.min(columns, column));
  drawTimes();
}

function drawTimes() {
  if (!learned.length) return;
  const time = $("time");
  time.value = columns - state.time; // how many have spoken; the slider runs from right to left
  time.setAttribute("aria-valuetext", when());
  $("now").textContent = when();
  const rows = $("rows").children;
  learned.forEach((k, i) => {
    const g = params[k].gradient;
    const row = rows[i];
    for (const rect of charts.get(k).querySelectorAll("rect")) rect.classList.toggle("said", Number(rect.dataset.column) >= state.time);
    const head = charts.get(k).querySelector(".head");
    head.setAttribute("x1", state.time);
    head.setAttribute("x2", state.time);
    const shown = state.measure === "along" ? said(k) : running(k);
    row.dataset.said = said(k);
    row.dataset.running = running(k);
    row.querySelector(".sum").replaceChildren(element("b", {}, number(shown)), " ", element("span", { class: "of" }, `of ${number(g.whole)}`),
      element("progress", { max: 1, value: g.whole ? Math.max(0, Math.min(1, finite(shown) / g.whole)) : 0, "aria-label": `${params[k].short}, so far` }));
    row.querySelector("button").setAttribute("aria-pressed", String(state.pinned === k));
  });
  markSteps();
  markTable();
}

// ---- on the picture

function stepSaid(item) { // whether any use of a tap has added its part
  return item.params.some((k) => usesOf(item, k).some((n) => params[k].uses[n - 1] >= state.time));
}

function weight(item) { // how much of the most the tap's steps add, 0 to 1
  let part = 0;
  const chosen = state.pinned !== null && item.params.includes(state.pinned) ? [state.pinned] : item.params;
  for (const k of chosen) {
    const g = params[k].gradient;
    if (!g) continue;
    let most = 0;
    for (const v of g.norms) most = Math.max(most, finite(v));
    if (most) for (const n of usesOf(item, k)) part = Math.max(part, finite(g.norms[params[k].uses[n - 1]]) / most);
  }
  return part;
}

function markSteps() {
  const view = state.view;
  if (!view) return;
  const started = state.time < columns;
  const here = started ? data.positions[state.time] + 1 : -9;
  for (const item of view.targets) {
    if (item.kind === "use") {
      const on = started && stepSaid(item);
      item.g.classList.toggle("said", on);
      if (on) item.g.style.setProperty("--w", (2 + 5 * weight(item)).toFixed(2));
    } else if (item.kind === "cell" || item.kind === "fold") {
      const slot = item.slot;
      const [first, last] = slot ? [slot.first, slot.last] : [item.first, item.first];
      item.g.classList.toggle("now", first <= here && here <= last);
    }
  }
  for (const old of view.svg.querySelectorAll(".badge")) old.remove();
  if (!started) return;
  for (const item of view.targets) { // the gradient that has arrived at each state
    if (item.kind !== "state") continue;
    const chain = data.chains[item.chain];
    const step = view.now(item.first); // h after step t has its whole gradient once t + 1 has run backward
    const next = chain?.back ? step - 1 : step; // the step, from 0, that reads it
    const column = columnOf.get(next) ?? (next < 0 ? 0 : columns);
    if (state.time > column) continue;
    const node = nodeOf(item);
    const gradient = node === null ? NaN : nodeFacts(node)?.gradient;
    if (!Number.isFinite(gradient)) continue;
    const b = item.g.getBBox();
    const badge = drawn("text", { class: "badge", x: b.x + b.width / 2, y: b.y + b.height + 9 }, number(gradient));
    view.ring.before(badge);
  }
}

// ---- play

function pause() {
  clearTimeout(playing);
  playing = 0;
  const button = document.querySelector("[data-do=play]");
  button.textContent = "Play";
  button.setAttribute("aria-pressed", "false");
}

function play() {
  if (playing) return pause();
  if (state.time === 0) moveTo(columns);
  if (calm.matches) return moveTo(0); // no motion: the end of it at once
  const button = document.querySelector("[data-do=play]");
  button.textContent = "Pause";
  button.setAttribute("aria-pressed", "true");
  const pace = Math.max(30, Math.min(800, 8000 / columns));
  const stride = Math.ceil(columns / MOST_BARS); // of very many steps some at once
  const turn = () => {
    moveTo(state.time - stride);
    if (state.time > 0) playing = setTimeout(turn, pace);
    else pause();
  };
  playing = setTimeout(turn, 60);
}

function back() {
  pause();
  moveTo(state.time === 0 ? columns : state.time - 1);
}
