"use strict";
// Draws what the stream of events says. Text comes from databases that anybody may have written: it
// only ever becomes text nodes, never markup.

const byId = (id) => document.getElementById(id);
const address = new URLSearchParams(location.search);
const token = address.get("token") || "";

// What a reload must not forget: choices of the reader, per tab.
const kept = (() => {
  try { return JSON.parse(sessionStorage.getItem("unmask-watch") || "{}"); } catch { return {}; }
})();
function keep(name, value) {
  kept[name] = value;
  try { sessionStorage.setItem("unmask-watch", JSON.stringify(kept)); } catch { /* private mode */ }
}

const parts = {};        // the latest of each part, parsed
let clockOffset = 0;     // server minus browser, seconds
let source = null;

function element(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "class") node.className = value; else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
function drawing(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "color") node.style.stroke = value;
    else if (name === "paint") node.style.fill = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
const now = () => Date.now() / 1000 + clockOffset;
const plural = (n, word) => n + " " + word + (n === 1 ? "" : "s");
const percent = (x) => x === null ? "-" : Number((100 * x).toFixed(1)) + " %";
function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return s + "s";
  if (s < 3600) return Math.floor(s / 60) + "m" + String(s % 60).padStart(2, "0") + "s";
  if (s < 86400) return Math.floor(s / 3600) + "h" + String(Math.floor(s / 60) % 60).padStart(2, "0") + "m";
  return Math.floor(s / 86400) + "d" + String(Math.floor(s / 3600) % 24).padStart(2, "0") + "h";
}
const seconds = (utc) => utc ? Date.parse(utc) / 1000 : NaN;
function short(x) {
  if (x === null) return "none";
  const size = Math.abs(x);
  return size !== 0 && (size < 0.001 || size >= 1e5) ? x.toExponential(2) : String(Number(x.toPrecision(4)));
}
const color = (i) => "var(--c" + i % 8 + ")";
const dashes = ["", "6 3", "2 3", "8 3 2 3"];
const dash = (i) => dashes[Math.floor(i / 8) % dashes.length];

// ---- the stream ----

function connect() {
  if (source) source.close();
  const query = new URLSearchParams({ token });
  if (kept.study) query.set("study", kept.study);
  source = new EventSource("/events?" + query);
  source.onopen = () => connection("live", "live");
  source.onerror = () => {
    const isOver = source.readyState === EventSource.CLOSED;
    connection("lost", isOver ? "connection refused" : "connection lost: has unmask watch ended?");
    if (isOver) setTimeout(connect, 3000);
  };
  source.addEventListener("clock", (e) => { clockOffset = JSON.parse(e.data).now - Date.now() / 1000; });
  for (const name of ["overview", "live", "failures", "accuracy", "curves", "verdicts"]) {
    source.addEventListener(name, (e) => { parts[name] = JSON.parse(e.data); draw(name); });
  }
}
function connection(state, text) {
  const node = byId("connection");
  node.className = state;
  node.textContent = text;
}
function draw(name) {
  const focus = document.activeElement && document.activeElement.dataset.focus;
  if (name === "overview") drawOverview();
  if (name === "failures") drawFailures();
  if (name === "accuracy") drawAccuracy();
  if (name === "verdicts") drawVerdicts();
  if (name === "curves" || name === "live") drawCurves();
  if (focus && !document.activeElement.dataset.focus) {
    // What was drawn again took the reader's place with it.
    const again = [...document.querySelectorAll("[data-focus]")].find((node) => node.dataset.focus === focus);
    if (again) again.focus({ preventScroll: true });
  }
  if (kept.scroll && document.body.scrollHeight > kept.scroll + innerHeight) {
    scrollTo(0, kept.scroll);
    kept.scroll = 0;
  }
}

// ---- progress ----

const states = {
  running: ["running", "running"], elsewhere: ["running on another machine", "warn"],
  gone: ["ended without a word", "bad"], interrupted: ["interrupted", "bad"], ended: ["done", "done"]
};

function bar(done, running, failed, all, label, thin) {
  const track = element("div", { class: thin ? "track thin" : "track", role: "progressbar", "aria-label": label,
    "aria-valuemin": 0, "aria-valuemax": all, "aria-valuenow": done });
  for (const [name, count] of [["done", done], ["failed", failed], ["running", running]]) {
    if (!count) continue;
    const piece = element("i", { class: name });
    piece.style.width = (100 * count / Math.max(1, all)) + "%";
    track.append(piece);
  }
  return track;
}

function drawOverview() {
  const o = parts.overview;
  const hadProblem = !byId("problem").hidden;
  byId("problem").hidden = !o.problem;
  byId("database").textContent = "Database: " + o.database;
  for (const id of ["progress", "workers", "notices"]) byId(id).hidden = Boolean(o.problem);
  if (o.problem) {
    byId("problem").textContent = o.problem;
    for (const id of ["failures", "verdicts", "accuracy", "curves"]) byId(id).hidden = true;
    return;
  }
  byId("name").textContent = o.study;
  document.title = o.study + " - unmask watch";
  byId("description").textContent = o.description;
  drawStudies(o);
  const sum = { cells: 0, done: 0, running: 0, failed: 0, missing: 0 };
  const isOver = !["running", "elsewhere"].includes(o.run.state);
  const rows = o.kinds.filter((kind) => kind.cells > 0).map((kind) => {
    const k = Object.assign({}, kind);
    if (isOver) { k.missing += k.running; k.running = 0; }
    for (const name of Object.keys(sum)) sum[name] += k[name];
    return element("tr", {}, element("th", { scope: "row" }, { train: "trainings", attack: "attacks", probe: "probes" }[k.kind]),
      ...["done", "running", "failed", "missing", "cells"].map((name) => element("td", { class: "num" }, String(k[name]))));
  });
  byId("kinds").tBodies[0].replaceChildren(...rows);
  byId("total").replaceChildren(bar(sum.done, sum.running, sum.failed, sum.cells, "cells that are done"));
  let [text, kind] = states[o.run.state];
  if (o.run.state === "ended" && o.run.exit_code !== 0) [text, kind] = ["ended incomplete", "bad"];
  byId("state").textContent = text;
  byId("state").className = "chip " + kind;
  let line = sum.done + " of " + plural(sum.cells, "cell") + " done";
  if (sum.failed) line += ", " + sum.failed + " failed";
  if (o.counts.skipped) line += ", " + o.counts.skipped + " skipped";
  byId("headline").textContent = line;
  drawFacts();
  drawWorkers(isOver ? [] : o.workers);
  byId("notices").hidden = o.notices.length === 0;
  byId("notice-list").replaceChildren(...o.notices.map((text) => element("li", {}, text)));
  // What did not change meanwhile is not sent again.
  if (hadProblem) for (const name of ["failures", "verdicts", "accuracy", "curves"]) if (parts[name]) draw(name);
}

function drawFacts() {
  const o = parts.overview;
  if (!o || o.problem) return;
  const start = seconds(o.run.started_at);
  const facts = ["run " + o.run.id + " of unmask " + o.run.tool + (o.run.host ? " on " + o.run.host : "")];
  if (o.run.state === "running" || o.run.state === "elsewhere") {
    facts.push("running for " + duration(now() - start));
    facts.push(o.time_left ? o.time_left + " left" : "time left: not known yet");
  } else if (o.run.ended_at) {
    facts.push("took " + duration(seconds(o.run.ended_at) - start) + ", ended " + new Date(o.run.ended_at).toLocaleString());
  } else if (o.run.state === "gone") {
    facts.push("process " + o.run.pid + " is not there any more; the same unmask run goes on where it stopped");
  }
  if (o.counts.hit) facts.push(plural(o.counts.hit, "cell") + " had been stored before");
  byId("facts").textContent = facts.join(" \u00b7 ");
}

function drawStudies(o) {
  byId("study-label").hidden = o.studies.length < 2;
  const select = byId("study");
  const names = o.studies.map((one) => one.study);
  if (select.dataset.names !== JSON.stringify(names)) {
    select.dataset.names = JSON.stringify(names);
    select.replaceChildren(...names.map((name) => element("option", {}, name)));
  }
  select.value = o.study;
}

function drawWorkers(workers) {
  byId("workers").hidden = workers.length === 0;
  byId("worker-list").replaceChildren(...workers.map((w) => {
    const facts = [];
    if (w.worker) facts.push("worker " + w.worker);
    facts.push("process " + w.pid, w.device);
    if (w.attempt > 1) facts.push("attempt " + w.attempt);
    if (w.note) facts.push(w.note);
    const time = element("span", { "data-since": w.started_at }, duration(now() - w.started_at));
    const share = w.total > 0 ? w.done + "/" + w.total + " (" + Math.floor(100 * w.done / w.total) + " %), " : "";
    return element("li", {}, element("strong", {}, w.title), w.total > 0 ? bar(0, w.done, 0, w.total, "done of this cell", true) : null,
      element("div", { class: "quiet" }, share, time, " \u00b7 " + facts.join(" \u00b7 ")));
  }));
}

setInterval(() => {
  drawFacts();
  for (const node of document.querySelectorAll("[data-since]")) node.textContent = duration(now() - Number(node.dataset.since));
}, 1000);

// ---- failures ----

const opened = new Set(kept.opened || []);
function fold(key, isOpenAtFirst, summary, ...content) {
  const head = element("summary", { "data-focus": key }, ...summary);
  const node = element("details", {}, head, ...content);
  node.open = opened.has("+" + key) || (isOpenAtFirst && !opened.has("-" + key));
  head.addEventListener("click", () => {   // keys click, too; the state changes after it
    opened.delete((node.open ? "+" : "-") + key);
    opened.add((node.open ? "-" : "+") + key);
    keep("opened", [...opened].slice(-200));
  });
  return node;
}
const after = {
  done: "has a result since", running: "is being tried again", failed: "failed for good",
  interrupted: "was tried again and interrupted", discarded: "has lost its result since"
};
const quoted = (word) => /^[A-Za-z0-9_@%+=:,.\/-]+$/.test(word) ? word : "'" + word.replaceAll("'", "'\\''") + "'";

function drawFailures() {
  const f = parts.failures;
  byId("failures").hidden = f.total === 0;
  byId("failure-count").textContent = String(f.total);
  byId("failure-list").replaceChildren(...f.rows.map((row, i) => fold("failure " + row.key + row.attempt, i === 0,
    [element("span", { class: "class" }, row.class), " ", element("h3", {}, row.title),
      element("span", { class: "quiet" }, " attempt " + row.attempt + ", " + (after[row.state] || row.state))],
    element("p", {}, row.message),
    row.log_tail ? element("pre", {}, row.log_tail) : null,
    element("p", { class: "quiet" }, "again, by itself: ",
      element("code", {}, ["unmask", "exec", f.manifest, "--cell", row.key.slice(0, 12), "--db", f.database].map(quoted).join(" "))))));
  if (f.total > f.rows.length) {
    byId("failure-list").append(element("p", { class: "quiet" }, "the last " + f.rows.length + " of " + f.total + "; all: unmask query failures"));
  }
}

// ---- verdicts ----

function drawVerdicts() {
  const rows = parts.verdicts.rows;
  byId("verdicts").hidden = rows.length === 0;
  byId("verdict-table").tBodies[0].replaceChildren(...rows.map((v) => element("tr", {}, element("th", { scope: "row" }, v.network),
    element("td", {}, v.threat), element("td", { class: v.judgement.split(" ")[0] }, v.judgement), element("td", {}, v.sentence))));
}

// ---- accuracy ----

function grouped(rows, key) {
  const groups = new Map();
  for (const row of rows) {
    const name = key(row);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(row);
  }
  return groups;
}
function interval(row) {
  const svg = drawing("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(drawing("rect", { x: 0, y: 1, width: 100, height: 8, paint: "var(--track)" }),
    drawing("rect", { x: 0, y: 1, width: 100 * (row.robust || 0), height: 8, paint: row.epsilon > 0 ? "var(--c0)" : "var(--c7)" }),
    drawing("rect", { x: 100 * row.lower, y: 4.2, width: Math.max(.4, 100 * (row.upper - row.lower)), height: 1.6, paint: "var(--ink)" }));
  return svg;
}
function drawAccuracy() {
  if (!parts.accuracy) return;
  const all = parts.accuracy.rows;
  byId("accuracy").hidden = all.length === 0;
  const wanted = byId("filter").value.trim().toLowerCase();
  const rows = all.filter((row) => !wanted || (row.network + " " + row.attack).toLowerCase().includes(wanted));
  const groups = grouped(rows, (row) => row.network);
  byId("accuracy-note").textContent = plural(rows.length, "attack") + " on " + plural(groups.size, "network") +
    (parts.accuracy.is_cut ? " (the first of more: unmask query accuracy)" : "");
  let place = 0;
  byId("accuracy-groups").replaceChildren(...[...groups].map(([network, list]) => {
    const body = element("tbody", {}, ...list.map((row) => element("tr", {},
      element("th", { scope: "row" }, row.attack === "none" ? "clean" : row.attack + (row.epsilon > 0 ? " \u03b5 " + row.epsilon_text : "")),
      element("td", { class: "bar-cell" }, interval(row)), element("td", { class: "num" }, percent(row.robust)),
      element("td", { class: "num quiet" }, Math.round(100 * row.lower) + "\u2013" + Math.round(100 * row.upper)), element("td", { class: "num quiet" }, String(row.n)))));
    const table = element("table", { class: "rows" }, element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "attack"),
      element("th", { scope: "col" }, "accuracy"), element("th", { scope: "col", class: "num" }, "right"), element("th", { scope: "col", class: "num" }, "95 %"),
      element("th", { scope: "col", class: "num" }, "n"))), body);
    return fold("network " + network, place++ < 6 || Boolean(wanted), [element("h3", {}, network)], radiusChart(list), table);
  }));
}
// Accuracy over the radius, where an attack has several.
function radiusChart(rows) {
  const attacks = [...grouped(rows.filter((row) => row.epsilon > 0), (row) => row.attack + " " + row.norm)].filter(([, list]) => new Set(list.map((r) => r.epsilon)).size > 1);
  if (attacks.length === 0) return null;
  const clean = rows.find((row) => !(row.epsilon > 0));
  const lines = attacks.map(([name, list], i) => ({ name: name.trim(), index: i,
    points: [...(clean ? [[0, clean.robust]] : []), ...list.map((row) => [row.epsilon, row.robust]).sort((a, b) => a[0] - b[0])] }));
  return element("div", {}, lineChart(lines, { x: "radius", y: "accuracy", low: 0, high: 1, format: percent, label: "accuracy over the radius" }),
    element("ul", { class: "legend" }, ...lines.map((line) => element("li", {}, swatch(line.index), line.name))));
}

// ---- curves ----

const hidden = new Set(kept.hidden || []);
const liveName = { loss: "train_loss", accuracy: "train_accuracy" };

// Trainings under way have a share of the training as abscissa, finished ones an epoch: both as a share.
function allCurves() {
  const finished = (parts.curves ? parts.curves.rows : []).map((c) => {
    const last = c.points.length ? c.points[c.points.length - 1][0] : 1;
    return { key: c.key, title: c.title, name: c.name, isLive: false, points: c.points.map(([step, value]) => [step / last, value]) };
  });
  const live = (parts.live ? parts.live.rows : []).map((c) => ({ key: c.key, title: c.title, name: liveName[c.name] || c.name, isLive: true, points: c.points }));
  return [...live, ...finished];
}
const places = new Map();   // of a training: keeps its colour while others come and go
function placeOf(key) {
  if (!places.has(key)) places.set(key, places.size);
  return places.get(key);
}
function drawCurves() {
  const curves = allCurves();
  byId("curves").hidden = curves.length === 0;
  if (curves.length === 0) return;
  const names = [...new Set(curves.map((c) => c.name))].sort((a, b) => order(a) - order(b) || a.localeCompare(b));
  const select = byId("metric");
  if (select.dataset.names !== JSON.stringify(names)) {
    select.dataset.names = JSON.stringify(names);
    select.replaceChildren(...names.map((name) => element("option", { value: name }, name.replaceAll("_", " "))));
  }
  select.value = names.includes(kept.metric) ? kept.metric : names[0];
  const shown = curves.filter((c) => c.name === select.value).sort((a, b) => a.title.localeCompare(b.title));
  const lines = shown.map((c) => ({ name: c.title, key: c.key, isLive: c.isLive, index: placeOf(c.key), points: c.points }));
  const isShare = select.value.includes("accuracy");
  byId("curve-chart").replaceChildren(lineChart(lines.filter((line) => !hidden.has(line.key)), {
    x: "of the training", y: select.value.replaceAll("_", " "), low: isShare ? 0 : null, high: isShare ? 1 : null,
    format: isShare ? percent : short, xFormat: (x) => Math.round(100 * x) + " %", maxX: 1, isLog: byId("log").checked && !isShare,
    label: select.value.replaceAll("_", " ") + " of " + plural(lines.length, "training")
  }));
  byId("curve-legend").replaceChildren(...lines.map((line) => {
    const button = element("button", { type: "button", "data-focus": "line " + line.key, "aria-pressed": String(!hidden.has(line.key)) }, swatch(line.index), line.name + (line.isLive ? " (running)" : ""));
    button.addEventListener("click", () => {
      if (!hidden.delete(line.key)) hidden.add(line.key);
      keep("hidden", [...hidden]);
      drawCurves();
    });
    return element("li", {}, button);
  }));
  byId("curve-table").tBodies[0].replaceChildren(...lines.map((line) => {
    const values = line.points.map(([, y]) => y).filter((y) => y !== null);
    const end = line.points.length ? line.points[line.points.length - 1] : [0, null];
    const cells = [Math.round(100 * end[0]) + " %", short(line.points.length ? line.points[0][1] : null), short(end[1]),
      values.length ? short(Math.min(...values)) : "none", values.length ? short(Math.max(...values)) : "none"];
    return element("tr", {}, element("th", { scope: "row" }, line.name), ...cells.map((text) => element("td", { class: "num" }, text)));
  }));
}
function order(name) {
  const first = ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "learning_rate"].indexOf(name);
  return first < 0 ? 99 : first;
}

// ---- drawing ----

function swatch(index) {
  return drawing("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" },
    drawing("line", { x1: 1, x2: 27, y1: 5, y2: 5, color: color(index), "stroke-width": 2.5, "stroke-dasharray": dash(index) }));
}
function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = power * [1, 2, 2.5, 5, 10].find((m) => m * power >= raw * .999);
  const list = [];
  for (let x = Math.ceil(low / step - 1e-9) * step; x <= high + 1e-9 * step; x += step) list.push(Math.abs(x) < step * 1e-9 ? 0 : x);
  return list;
}
function logTicks(low, high) {
  const list = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.ceil(Math.log10(high)); ++p) {
    for (const m of high / low > 100 ? [1] : [1, 2, 5]) {
      const x = m * Math.pow(10, p);
      if (x >= low * .999 && x <= high * 1.001) list.push(x);
    }
  }
  return list;
}
// @param options  x, y: labels; low, high: of y, null: from the values; format, xFormat; maxX; isLog; label
function lineChart(lines, options) {
  const width = Math.max(280, Math.min(1100, (document.querySelector("main").clientWidth || 720) - 40));
  const height = Math.round(Math.min(320, Math.max(200, width * .45)));
  const left = 66, right = 26, top = 12, bottom = 38;
  const isDrawable = (y) => y !== null && (!options.isLog || y > 0);
  const points = lines.flatMap((line) => line.points).filter(([, y]) => isDrawable(y));
  const svg = drawing("svg", { class: "plot", viewBox: "0 0 " + width + " " + height, role: "img", "aria-label": options.label });
  if (points.length === 0) {
    svg.append(drawing("text", { x: left, y: height / 2 }, "no numbers yet"));
    return svg;
  }
  let low = options.low ?? points.reduce((m, p) => Math.min(m, p[1]), Infinity);
  let high = options.high ?? points.reduce((m, p) => Math.max(m, p[1]), -Infinity);
  if (!options.isLog && options.low === null && low > 0 && low < .5 * high) low = 0;
  if (low === high) { low = options.isLog ? low / 2 : low - .5 * (Math.abs(low) || 1); high = options.isLog ? high * 2 : high + .5 * (Math.abs(high) || 1); }
  const maxX = options.maxX || points.reduce((m, p) => Math.max(m, p[0]), 0) || 1;
  const scale = options.isLog ? (y) => Math.log10(y / low) / Math.log10(high / low) : (y) => (y - low) / (high - low);
  const px = (x) => left + (width - left - right) * x / maxX;
  const py = (y) => height - bottom - (height - top - bottom) * scale(y);
  for (const y of options.isLog ? logTicks(low, high) : ticks(low, high, 5)) {
    svg.append(drawing("line", { class: "grid", x1: left, x2: width - right, y1: py(y), y2: py(y) }),
      drawing("text", { x: left - 6, y: py(y) + 4, "text-anchor": "end" }, options.format(y)));
  }
  for (const x of ticks(0, maxX, width < 500 ? 4 : 6)) {
    svg.append(drawing("line", { class: "axis", x1: px(x), x2: px(x), y1: height - bottom, y2: height - bottom + 4 }),
      drawing("text", { x: px(x), y: height - bottom + 17, "text-anchor": "middle" }, (options.xFormat || short)(x)));
  }
  svg.append(drawing("line", { class: "axis", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
    drawing("text", { x: (left + width - right) / 2, y: height - 5, "text-anchor": "middle" }, options.x),
    drawing("text", { x: 12, y: (top + height - bottom) / 2, "text-anchor": "middle", transform: "rotate(-90 12 " + (top + height - bottom) / 2 + ")" }, options.y));
  for (const line of lines) {
    let path = "";
    let isDown = false;
    for (const [x, y] of line.points) {
      if (!isDrawable(y)) { isDown = false; continue; }
      path += (isDown ? "L" : "M") + px(x).toFixed(1) + " " + py(y).toFixed(1);
      isDown = true;
    }
    svg.append(drawing("path", { d: path, fill: "none", color: color(line.index), "stroke-width": 2, "stroke-dasharray": dash(line.index), "stroke-linejoin": "round", "data-name": line.name }));
    const shown = line.points.filter(([, y]) => isDrawable(y));
    for (const [x, y] of shown.length <= 12 ? shown : shown.slice(-1)) {
      svg.append(drawing("circle", { cx: px(x), cy: py(y), r: 3, paint: color(line.index) }, drawing("title", {}, line.name + ": " + options.format(y))));
    }
  }
  return svg;
}

// ---- choices ----

function showTheme() {
  const theme = kept.theme || "auto";
  if (theme === "auto") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = theme;
  byId("theme").textContent = "theme: " + theme;
}
byId("theme").addEventListener("click", () => {
  keep("theme", { auto: "light", light: "dark", dark: "auto" }[kept.theme || "auto"]);
  showTheme();
});
byId("study").addEventListener("change", (e) => {
  keep("study", e.target.value);
  for (const name of Object.keys(parts)) delete parts[name];
  places.clear();
  connect();
});
byId("metric").addEventListener("change", (e) => { keep("metric", e.target.value); drawCurves(); });
byId("log").addEventListener("change", (e) => { keep("log", e.target.checked); drawCurves(); });
byId("filter").addEventListener("input", (e) => { keep("filter", e.target.value); drawAccuracy(); });
byId("curve-details").addEventListener("toggle", (e) => keep("numbers", e.target.open));
let resizing = 0;
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => { drawCurves(); drawAccuracy(); }, 200);
});
addEventListener("pagehide", () => keep("scroll", scrollY));

byId("filter").value = kept.filter || "";
byId("log").checked = Boolean(kept.log);
byId("curve-details").open = Boolean(kept.numbers);
showTheme();
connect();
