// Where does one look? Pan and zoom, what is lit, the ring around the focus, the words beside the pointer.

const stage = $("stage");
const tip = $("tip");
const camera = { x: 0, y: 0, scale: 1 }; // the point of the picture at the stage's middle, pixels a point
let flight = 0;
let resting = () => {}; // what to do when the stage has another size: as long as nobody moved the picture

function show() {
  const { clientWidth: w, clientHeight: h } = stage;
  const [vw, vh] = [w / camera.scale, h / camera.scale];
  state.view.svg.setAttribute("viewBox", `${camera.x - vw / 2} ${camera.y - vh / 2} ${vw} ${vh}`);
}

function fly(to, quick = false, rest = null) {
  resting = rest ?? show;
  cancelAnimationFrame(flight);
  const from = { ...camera };
  const begin = performance.now();
  const step = (time) => {
    const part = quick || calm.matches ? 1 : Math.min(1, (time - begin) / 240);
    const eased = 1 - (1 - part) ** 3;
    camera.scale = from.scale * (to.scale / from.scale) ** eased;
    camera.x = from.x + (to.x - from.x) * eased;
    camera.y = from.y + (to.y - from.y) * eased;
    show();
    if (part < 1) flight = requestAnimationFrame(step);
  };
  step(quick || calm.matches ? begin : begin + 1);
}

const middle = (box) => ({ x: box.x + box.w / 2, y: box.y + box.h / 2 });

function fitting(box, margin = 16) {
  return Math.min((stage.clientWidth - 2 * margin) / box.w, (stage.clientHeight - 2 * margin) / box.h, 1.6);
}

function fit(quick) { // the whole picture
  fly({ ...middle(state.view.box), scale: fitting(state.view.box) }, quick, () => fit(true));
}

function home(quick) { // the whole picture, or, where it would be too small to read, its beginning
  const whole = fitting(state.view.box);
  if (whole >= 0.62) return fit(quick);
  const box = state.view.box;
  const scale = Math.max(0.8, Math.min(1.25, (stage.clientHeight - 24) / box.h));
  const y = box.h * scale > stage.clientHeight ? box.y + stage.clientHeight / 2 / scale - 12 : middle(box).y;
  fly({ x: box.x + stage.clientWidth / 2 / scale - 10, y, scale }, quick, () => home(true));
}

function zoom(by, px = stage.clientWidth / 2, py = stage.clientHeight / 2, quick = false) {
  const scale = Math.min(8, Math.max(0.08, camera.scale * by));
  const [dx, dy] = [px - stage.clientWidth / 2, py - stage.clientHeight / 2];
  fly({ x: camera.x + dx / camera.scale - dx / scale, y: camera.y + dy / camera.scale - dy / scale, scale }, quick);
}

function boxOf(item) { // in the picture's units, which the root's translation moved
  const b = item.g.getBBox();
  const move = item.view.svg.querySelector("g").transform.baseVal.consolidate()?.matrix ?? { e: 0, f: 0 };
  return { x: b.x + move.e, y: b.y + move.f, w: b.width, h: b.height };
}

function reveal(item) { // move just so far that the part can be seen
  const box = boxOf(item);
  const [w, h] = [stage.clientWidth / camera.scale / 2 - 12, stage.clientHeight / camera.scale / 2 - 12];
  const into = (at, low, size, half) => (size > 2 * half ? low + size / 2 : Math.min(Math.max(at, low + size - half), low + half));
  fly({ x: into(camera.x, box.x, box.w, w), y: into(camera.y, box.y, box.h, h), scale: camera.scale });
}

// ---- light

// All parts that belong to a Parameter: itself, its line, every tap with its dot, and what takes it.
function partsOf(view, k) {
  if (view.lights.has(k)) return view.lights.get(k);
  const lit = new Set();
  const rows = new Set();
  for (const item of view.list) {
    if (!item.params.includes(k)) continue;
    lit.add(item);
    if (item.tail?.kind === "dot") lit.add(item.tail);
    if (item.kind === "bus" && item.head?.kind === "dot") lit.add(item.head);
    if (item.kind !== "use") continue;
    if (item.head) [item.head, ...around(item.head)].forEach((part) => lit.add(part));
    if (item.row !== undefined) rows.add(item.row);
  }
  for (const item of view.list) if (item.kind !== "use" && rows.has(item.row)) lit.add(item);
  view.lights.set(k, lit);
  return lit;
}

function wanted() { // the parts to light, or null for all
  const focus = state.at?.g.matches(":focus-visible") ? state.at : null;
  for (const item of [state.hover, focus]) {
    if (item?.kind === "param" || item?.kind === "use") {
      if (item.kind === "use" && state.pinned !== null && item.params.includes(state.pinned)) break;
      return item.params;
    }
  }
  return state.pinned === null ? null : [state.pinned];
}

function light() {
  const view = state.view;
  const chosen = wanted();
  let lit = null;
  if (chosen?.length) lit = new Set(chosen.flatMap((k) => [...partsOf(view, k)]));
  else if (state.found.length) lit = new Set(state.found.flatMap((item) => [item, ...around(item)]));
  view.svg.classList.toggle("dim", lit !== null);
  for (const item of view.list) item.g.classList.toggle("lit", lit !== null && lit.has(item));
  for (const item of view.targets) {
    if (item.kind === "param") item.g.setAttribute("aria-pressed", String(item.params.includes(state.pinned)));
  }
}

function around(item) { // the free texts that belong to a box
  return item.kind === "param" || item.kind === "gate" ? item.view.textsOf(item) : [];
}

function pin(k) {
  state.pinned = state.pinned === k ? null : k;
  light();
  drawTimes();
}

// ---- focus

function focusOn(item, move = true) {
  if (!item) return;
  for (const other of state.view.targets) other.g.setAttribute("tabindex", other === item ? "0" : "-1");
  if (move) item.g.focus({ preventScroll: true });
}

function ringAt(item, seen) {
  const ring = state.view.ring;
  ring.setAttribute("visibility", item && seen ? "visible" : "hidden");
  if (!item) return;
  const b = item.g.getBBox();
  for (const [key, value] of Object.entries({ x: b.x - 3, y: b.y - 3, width: b.width + 6, height: b.height + 6 })) ring.setAttribute(key, value);
}

const itemAt = (target) => {
  const g = target.closest?.("g[role=button]");
  return g && state.view.svg.contains(g) ? state.view.targets.find((item) => item.g === g) : null;
};

stage.addEventListener("focusin", (event) => {
  const item = itemAt(event.target);
  if (!item) return;
  state.at = item;
  focusOn(item, false);
  const seen = item.g.matches(":focus-visible");
  ringAt(item, seen);
  if (seen) reveal(item);
  if (seen) sayAt(item);
  light();
  panel(item);
});
stage.addEventListener("focusout", () => { ringAt(null); tip.hidden = true; light(); });

// ---- pointer

function sayAt(item, event) {
  const lines = item.kind === "use" && item.params.length > 1 && state.pinned === null
    ? [`${item.params.map((k) => params[k].short).join(", ")}`, sayUse(item, item.params[0])]
    : item.kind === "use"
      ? [params[item.params.includes(state.pinned) ? state.pinned : item.params[0]]?.name ?? "", sayUse(item, item.params.includes(state.pinned) ? state.pinned : item.params[0])]
      : item.kind === "param"
        ? [params[item.params[0]]?.name ?? item.id, `one object, ${plural(params[item.params[0]]?.uses.length ?? 0, "use")}`]
        : [item.kind === "layer" ? texts(item) : label(item), item.kind === "fold" ? "" : summary(item)];
  tip.replaceChildren(element("b", {}, lines[0]), lines[1]);
  tip.hidden = false;
  const frame = stage.getBoundingClientRect();
  const box = item.g.getBoundingClientRect();
  const [x, y] = event ? [event.clientX - frame.left + 14, event.clientY - frame.top + 16] : [box.left - frame.left, box.bottom - frame.top + 8];
  const left = Math.max(4, Math.min(x, frame.width - tip.offsetWidth - 6));
  const top = y + tip.offsetHeight > frame.height - 4 ? y - tip.offsetHeight - 30 : y;
  tip.style.transform = `translate(${left}px, ${Math.max(4, top)}px)`;
}

function summary(item) {
  const node = nodeOf(item);
  const facts = node === null ? null : nodeFacts(node);
  if (!facts) return item.kind === "layer" ? "Enter opens its cells" : item.kind !== "cell" ? "" : item.view.level === "op" ? "Backspace closes it" : "Enter opens its ops";
  return [facts.op, facts.shape, Number.isNaN(facts.norm) ? "" : `norm ${number(facts.norm)}`].filter(Boolean).join(" · ");
}

function hover(item, event) {
  if (item) sayAt(item, event);
  else tip.hidden = true;
  if (item === state.hover) return;
  state.hover?.g.classList.remove("hot");
  state.hover = item;
  item?.g.classList.add("hot");
  light();
}

const pointers = new Map();
let drag = null;

stage.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  pointers.set(event.pointerId, event);
  drag = { x: event.clientX, y: event.clientY, moved: false, spread: spread() };
});
stage.addEventListener("pointermove", (event) => {
  if (!pointers.has(event.pointerId)) return hover(itemAt(event.target), event);
  pointers.set(event.pointerId, event);
  const [dx, dy] = [event.clientX - drag.x, event.clientY - drag.y];
  if (!drag.moved && Math.hypot(dx, dy) < 5) return;
  if (!drag.moved) stage.setPointerCapture(event.pointerId);
  drag.moved = true;
  stage.classList.add("dragging");
  hover(null);
  if (pointers.size > 1) {
    const now = spread();
    const frame = stage.getBoundingClientRect();
    if (drag.spread) zoom(now.far / drag.spread.far, now.x - frame.left, now.y - frame.top, true);
    drag.spread = now;
  } else {
    fly({ x: camera.x - dx / camera.scale, y: camera.y - dy / camera.scale, scale: camera.scale }, true);
  }
  [drag.x, drag.y] = [event.clientX, event.clientY];
});
for (const name of ["pointerup", "pointercancel"]) {
  stage.addEventListener(name, (event) => { pointers.delete(event.pointerId); stage.classList.remove("dragging"); });
}
stage.addEventListener("pointerleave", () => hover(null));
stage.addEventListener("click", (event) => {
  if (drag?.moved) return;
  const item = itemAt(event.target);
  if (!item) return;
  focusOn(item);
  if (item.kind === "param") pin(item.params[0]);
  panel(item);
});
stage.addEventListener("dblclick", (event) => {
  const item = itemAt(event.target);
  if (item && item.kind !== "param") enter(item);
});
stage.addEventListener("wheel", (event) => {
  const frame = stage.getBoundingClientRect();
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 240), event.clientX - frame.left, event.clientY - frame.top, true);
  } else if (innerWidth >= 800 || event.shiftKey) {
    event.preventDefault();
    const [dx, dy] = event.shiftKey ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
    fly({ x: camera.x + dx / camera.scale, y: camera.y + dy / camera.scale, scale: camera.scale }, true);
  }
}, { passive: false });

function spread() {
  if (pointers.size < 2) return null;
  const [a, b] = [...pointers.values()];
  return { far: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2 };
}
