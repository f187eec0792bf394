// What does the page know of one part of the picture? The side panel says it.

let opened = null; // what the panel speaks of: a part, or {param: k}

function panel(item = opened) {
  opened = item;
  const where = $("panel");
  if (!item) return where.replaceChildren(...welcome());
  if (item.param !== undefined) return panelOf(item.param);
  if (item.kind === "param" && item.params.length) return panelOf(item.params[0]);
  const parts = item.kind === "use" ? ofUse(item) : item.kind === "fold" ? ofFold(item) : item.kind === "cell" ? ofCell(item) : item.kind === "layer" ? ofLayer(item) : ofValue(item);
  where.replaceChildren(...parts);
  where.scrollTop = 0;
}

function panelOf(k) {
  const before = opened;
  opened = { param: k };
  const p = params[k];
  const facts = nodeFacts(p.node);
  $("panel").replaceChildren(
    element("h2", { class: "param" }, p.short),
    element("p", { class: "path" }, p.name),
    element("p", { class: "same" }, `${plural(p.uses.length, "use")}, one object, ${plural(p.numbers, "number")}`),
    statistics(facts, p),
    ...valuesOf(facts),
    ...contributions(p),
  );
  if (before?.param !== k) $("panel").scrollTop = 0;
  markTable();
}

function welcome() {
  const steps = data.steps;
  return [
    element("h2", {}, steps > 1 ? "One set of weights" : "Parameters and their uses"),
    element("p", {}, steps > 1
      ? `${plural(steps, "step")}, and each Parameter is one object that every step uses: point at one, and all of its uses light up.`
      : "Each Parameter is one object: point at one, and all of its uses light up."),
    element("h3", {}, "Parameters"),
    element("table", {}, element("tbody", {}, ...params.map((p, k) => {
      const name = element("button", { type: "button", class: "name", onclick: () => { pin(k); panelOf(k); } }, p.short);
      return element("tr", {}, element("td", {}, name), element("td", {}, p.shape), element("td", {}, plural(p.uses.length, "use")));
    }))),
    element("h3", {}, "Try"),
    element("ul", {},
      element("li", {}, "click a Parameter to pin it; Esc lets go"),
      ...(learned.length ? [element("li", {}, "press Play: backward, and each step adds its part to the gradient")] : []),
      ...(views.size > 1 ? [element("li", {}, "Enter on a cell opens its ops, Backspace closes them")] : []),
      ...($("question").hidden ? [] : [element("li", {}, "ask what if each step had its own weights")]),
      element("li", {}, "search with / , all keys with ?")),
    ...(learned.length ? [] : [element("p", { class: "path" }, `No backward here: ${data.silent || "no gradient reached a Parameter"}.`)]),
  ];
}

function fact(list, name, value, bad = false) {
  if (value === "" || value === undefined) return;
  list.append(element("dt", {}, name), element("dd", bad ? { class: "bad" } : {}, value));
}

function statistics(facts, p) {
  const list = element("dl", { class: "facts" });
  if (!facts) {
    list.append(element("dt", {}, "values"), element("dd", {}, "not in this page: the graph is too large"));
    return list;
  }
  const op = facts.op === "parameter" ? "" : facts.op;
  fact(list, "op", op + (facts.detail ? ` ${facts.detail}` : ""));
  fact(list, "shape", facts.shape);
  fact(list, "dtype", facts.dtype);
  if (Number.isNaN(facts.nan)) {
    fact(list, "values", "not kept by the graph");
  } else {
    for (const name of ["min", "mean", "max", "std"]) fact(list, name, number(facts[name]));
    fact(list, "norm", number(facts.norm));
  }
  const whole = p?.gradient?.whole ?? (p ? NaN : facts.gradient);
  fact(list, "norm of gradient", Number.isNaN(whole) ? (p ? "none" : "") : number(whole));
  if (!Number.isNaN(facts.nan)) {
    fact(list, "NaN / Inf / zero", `${facts.nan} / ${facts.inf} / ${facts.zero}`, facts.nan + facts.inf > 0);
  }
  fact(list, "module", facts.path);
  fact(list, "source", facts.source);
  return list;
}

function valuesOf(facts) {
  if (facts?.values?.length) {
    const list = Array.from(facts.values);
    const most = Math.max(...list.filter(Number.isFinite).map(Math.abs), 1e-30);
    const sides = (facts.shape.match(/\d+/g) ?? []).map(Number);
    const wide = Math.min(sides.length ? sides[sides.length - 1] : 1, 6) || 1;
    const grid = element("div", { class: "values", role: "img", "aria-label": `values: ${list.map(number).join(", ")}` });
    grid.style.gridTemplateColumns = `repeat(${wide}, minmax(0, 1fr))`;
    for (const v of list) {
      const cell = element("span", { title: String(v) }, number(v));
      const part = Number.isFinite(v) ? Math.round((Math.abs(v) / most) * 60) : 0;
      cell.style.background = `color-mix(in srgb, ${v < 0 ? "#2f7fc4" : "#e07b28"} ${part}%, #f6f8fa)`;
      grid.append(cell);
    }
    return [element("h3", {}, "Values"), grid];
  }
  if (!facts?.bins) return [];
  const svg = drawn("svg", { class: "histogram", viewBox: "0 0 24 100", preserveAspectRatio: "none", role: "img" });
  svg.setAttribute("aria-label", `histogram of ${plural(facts.size, "value")} from ${number(facts.min)} to ${number(facts.max)}`);
  facts.bins.forEach((v, i) => svg.append(drawn("rect", { x: i + 0.06, width: 0.88, y: 100 - v / 2.55, height: v / 2.55 })));
  const ends = element("div", { class: "ends", "aria-hidden": "true" }, element("span", {}, number(facts.min)), element("span", {}, number(facts.max)));
  return [element("h3", {}, `Histogram of ${plural(facts.size, "value")}`), svg, ends];
}

const MOST_ROWS = 200;

function contributions(p) {
  const g = p.gradient;
  if (!g) return [];
  const used = [...new Set(p.uses)].sort((a, b) => a - b);
  const largest = used.length > MOST_ROWS ? [...used].sort((a, b) => g.norms[b] - g.norms[a]).slice(0, MOST_ROWS).sort((a, b) => a - b) : used;
  const body = element("tbody");
  for (const c of largest) {
    const row = element("tr", {}, element("td", {}, positionName(data.positions[c])), element("td", {}, number(g.along[c])),
      element("td", {}, number(g.norms[c])), element("td", {}, g.whole ? `${Math.round((g.along[c] / g.whole) * 100)} %`.replace("-", "−") : "–"));
    row.dataset.column = c;
    body.append(row);
  }
  let sum = 0;
  for (const c of used) sum += g.along[c];
  const foot = element("tfoot", {}, element("tr", {}, element("td", {}, "sum"), element("td", {}, number(sum)), element("td", {}, ""), element("td", {}, g.whole ? "100 %" : "")));
  const head = element("thead", {}, element("tr", {}, ...["step", "along G", "norm", "share"].map((w) => element("th", { scope: "col" }, w))));
  const few = largest.length < used.length ? ` (the ${MOST_ROWS} largest of ${used.length.toLocaleString("en")})` : "";
  return [
    element("h3", {}, `What each step adds${few}`),
    element("p", { class: "cancels" }, `${Math.round(g.cancels * 100)} % of the steps' parts cancels: 1 − |sum| / sum of norms`),
    element("table", { class: "contributions" }, head, body, foot),
  ];
}

function markTable() {
  for (const row of $("panel").querySelectorAll(".contributions tbody tr")) row.classList.toggle("saying", Number(row.dataset.column) >= state.time);
}

function ofUse(item) {
  const rows = item.params.map((k) => {
    const p = params[k];
    const uses = usesOf(item, k);
    const parts = uses.map((n) => p.uses[n - 1]);
    const along = p.gradient ? [...new Set(parts)].reduce((sum, c) => sum + p.gradient.along[c], 0) : NaN;
    const name = element("button", { type: "button", class: "name", onclick: () => { pin(k); panelOf(k); } }, p.short);
    return element("tr", {}, element("td", {}, name), element("td", {}, sayUse(item, k).replace(", same object", "")), element("td", {}, number(along)));
  });
  const head = element("thead", {}, element("tr", {}, ...["Parameter", "use", "adds, along G"].map((w) => element("th", { scope: "col" }, w))));
  const step = item.slot?.folded ? foldWords(item) : item.first === undefined ? "outside the steps" : `t = ${item.view.now(item.first)}`;
  return [
    element("h2", { class: "param" }, `A use at ${step}`),
    element("p", { class: "same" }, "The same object at every step"),
    element("p", {}, " "),
    element("table", {}, head, element("tbody", {}, ...rows)),
    ...(item.params.length === 1 ? [element("div", { class: "do" }, element("button", { type: "button", onclick: nextUse }, "Next use (u)"))] : []),
  ];
}

function ofFold(item) {
  const buttons = item.view.movable
    ? [element("div", { class: "do" }, element("button", { type: "button", onclick: () => enter(item) }, "Bring them into view (Enter)"))]
    : [];
  return [
    element("h2", {}, foldWords(item)),
    element("p", {}, "Every step inside looks like the ones beside it and uses the same weights; so they are drawn as one."),
    ...buttons,
  ];
}

function ofCell(item) {
  const chain = data.chains[item.chain];
  const step = item.view.now(item.first);
  const uses = params.flatMap((p, k) => {
    const n = Array.from(p.uses).indexOf(columnOf.get(step - 1));
    return n < 0 || !item.view.list.some((other) => other.kind === "use" && other.chain === item.chain && other.params.includes(k)) ? [] : [[k, n + 1]];
  });
  const other = item.view.level === "op" ? "cell" : "op";
  const words = other === "op" ? "Open into ops (Enter)" : "Close into a cell (Backspace)";
  return [
    element("h2", {}, `${chain?.title ?? "Step"}, t = ${step}`),
    element("p", { class: "path" }, chain?.path ?? ""),
    element("h3", {}, "Uses here"),
    element("table", {}, element("tbody", {}, ...uses.map(([k, n]) => element("tr", {},
      element("td", {}, element("button", { type: "button", class: "name", onclick: () => { pin(k); panelOf(k); } }, params[k].short)),
      element("td", {}, `use ${n} of ${params[k].uses.length.toLocaleString("en")}, same object`))))),
    ...(views.has(other) ? [element("div", { class: "do" }, element("button", { type: "button", onclick: () => setLevel(other, item) }, words))] : []),
  ];
}

function ofLayer(item) {
  const taps = item.view.list.filter((other) => other.kind === "use" && other.head === item);
  const uses = [...new Set(taps.flatMap((tap) => tap.params))];
  return [
    element("h2", {}, texts(item)),
    element("p", { class: "path" }, item.layer),
    element("p", { class: "same" }, "One set of weights for all of its steps"),
    element("h3", {}, "Uses here"),
    element("table", {}, element("tbody", {}, ...uses.map((k) => element("tr", {},
      element("td", {}, element("button", { type: "button", class: "name", onclick: () => { pin(k); panelOf(k); } }, params[k].short)),
      element("td", {}, `${plural(params[k].uses.length, "use")}, one object`))))),
    element("div", { class: "do" }, element("button", { type: "button", onclick: () => enter(item) }, "Open into cells (Enter)")),
  ];
}

function ofValue(item) {
  const node = nodeOf(item);
  const facts = node === null ? null : nodeFacts(node);
  const title = element("h2", {}, texts(item) || item.id);
  const step = item.chain && item.first !== undefined ? element("p", { class: "path" }, `t = ${item.view.now(item.first)}`) : null;
  const hint = item.g.querySelector("[data-tip]")?.dataset.tip;
  if (node === null) {
    const words = hint && hint !== data.title ? hint : "Nothing was recorded for this box alone: it stands for several values.";
    return [title, step, element("p", {}, words)].filter(Boolean);
  }
  if (paramOfNode.has(node)) return [title, step, element("p", {}, `This is the Parameter ${params[paramOfNode.get(node)].name} itself.`)].filter(Boolean);
  return [title, step, statistics(facts), ...valuesOf(facts)].filter(Boolean);
}
