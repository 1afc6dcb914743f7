"use strict";
// Shows the data of a report: cards, tables that sort and filter, figures with their tables.
const data = JSON.parse(document.getElementById("data").textContent);
// Tables come by columns, texts as places in a list of the different ones.
for (const table of Object.values(data.tables)) {
  const values = table.data.map((c) => (Array.isArray(c) ? c : c.places.map((k) => (k === null ? null : c.words[k]))));
  table.rows = Array.from({ length: table.n }, (_, r) => values.map((c) => c[r]));
}
const networkColumns = ["study", "dataset", "model", "objective", "train_solver", "train_seed", "solver"];
const labelColumns = new Set([...networkColumns, "gradient", "source", "attack", "method", "norm", "epsilon", "epsilon_text", "seed",
  "kind", "name", "phase", "solve", "rule", "sample", "n", "version", "fingerprint", "state", "judgement", "class", "label"]);
const shares = new Set(["clean_accuracy", "robust_accuracy", "cumulative_accuracy", "own_robust_accuracy", "clean_mean", "min", "mean", "max", "lower", "upper", "gap", "drop_to_smallest"]);

// Text only ever becomes text: nothing in the data can become markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child);
  return element;
}

const table = (name) => data.tables[name];
const records = (name) => table(name).rows.map((row) => Object.fromEntries(table(name).columns.map((c, i) => [c, row[i]])));
const counted = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : "'" + word.replaceAll("'", "'\\''") + "'");

function textOf(value, column) {
  if (value === null) return "";
  if (typeof value !== "number") return String(value);
  if (shares.has(column)) return (100 * value).toFixed(1) + " %";
  return Number.isInteger(value) ? String(value) : Drawings.plain(value);
}

// ---- tables ----

function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}

// A table whose labels that are the same in every row stand above it.
function showTable(source, { most = 25, filter = true, sortable = true } = {}) {
  const { columns, rows } = source;
  const box = make("div");
  const common = rows.length > 1 ? columns.map((c, i) => labelColumns.has(c) && rows.every((r) => r[i] === rows[0][i])) : columns.map(() => false);
  const empty = columns.map((_, i) => rows.length > 0 && rows.every((r) => r[i] === null || r[i] === ""));
  const kept = columns.map((_, i) => i).filter((i) => !common[i] && !empty[i]);
  const said = columns.map((c, i) => (common[i] && rows[0][i] !== "" && rows[0][i] !== null ? `${c} = ${textOf(rows[0][i], c)}` : "")).filter(Boolean);
  if (said.length) box.append(make("p", { class: "quiet" }, said.join(", ")));
  const isNumber = kept.map((i) => rows.some((r) => typeof r[i] === "number") && !columns[i].endsWith("seed"));
  const isLong = kept.map((i) => rows.some((r) => typeof r[i] === "string" && r[i].length > 60));
  const body = make("tbody");
  let order = null, down = false, wanted = "", all = false;
  const more = make("button", { type: "button", hidden: "", onclick: () => { all = true; fill(); } });
  const found = make("span", { class: "quiet", role: "status" });
  function fill() {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    let chosen = rows.filter((r) => words.every((w) => {
      const [axis, pattern] = w.split("=");
      const at = pattern === undefined ? -1 : columns.indexOf(axis);
      return at >= 0 ? String(r[at] ?? "").toLowerCase().includes(pattern) : r.some((v, i) => textOf(v, columns[i]).toLowerCase().includes(w));
    }));
    if (order !== null) chosen = [...chosen].sort((a, b) => (down ? -1 : 1) * compare(a[order], b[order]));
    const shown = all ? chosen : chosen.slice(0, most);
    body.replaceChildren(...shown.map((r) => make("tr", r.includes("all of them") ? { class: "total" } : {}, kept.map((i, k) =>
      make("td", isNumber[k] ? { class: "n" } : isLong[k] ? { class: "long" } : {}, textOf(r[i], columns[i]))))));
    more.hidden = shown.length === chosen.length;
    more.textContent = `Show all ${chosen.length} rows`;
    found.textContent = words.length ? counted(chosen.length, "row") : "";
  }
  const heads = kept.map((i, k) => {
    const name = columns[i].replaceAll("_", " ");
    if (!sortable) return make("th", { scope: "col", class: isNumber[k] ? "n" : null }, name);
    const head = make("th", { scope: "col", class: isNumber[k] ? "n" : null, "aria-sort": "none" });
    head.append(make("button", { type: "button", onclick: () => {
      down = order === i ? !down : false;
      order = i;
      for (const other of heads) { other.setAttribute("aria-sort", "none"); other.firstChild.textContent = other.firstChild.textContent.replace(/ [▴▾]$/, ""); }
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      head.firstChild.textContent += down ? " ▾" : " ▴";
      fill();
    } }, name));
    return head;
  });
  if (filter && rows.length > 8) {
    box.append(make("div", { class: "tools" }, make("label", {}, "Filter ", make("input", { type: "search", placeholder: "pgd, or solver=bosh3",
      oninput: (event) => { wanted = event.target.value; fill(); } })), found));
  }
  box.append(make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": source.about }, make("table", {}, make("thead", {}, make("tr", {}, heads)), body)), more);
  if (source.left_out > 0) box.append(make("p", { class: "quiet" }, `${counted(source.left_out, "further row")} in the database.`));
  fill();
  return box;
}

// ---- figures ----

const redraws = [];

function figureTable(figure, panel) {
  const rows = [], columns = [];
  if (panel.tiles.length) {
    columns.push("row", "column", "value");
    for (const [r, c, v] of panel.tiles) rows.push([panel.rows[r] ?? r, panel.categories[c] ?? c, v]);
  } else {
    columns.push("curve", "x", "y", "from", "to");
    for (const curve of panel.curves) for (const p of curve.points) {
      rows.push([curve.title, panel.categories.length ? panel.categories[p[0]] ?? p[0] : p[0], p[1], p[2] ?? null, p[3] ?? null]);
    }
  }
  return showTable({ columns, rows, about: panel.title || figure.title, left_out: 0 }, { most: 12, filter: false, sortable: false });
}

function showFigure(figure, most = 12) {
  const box = make("div");
  const panels = figure.panels.slice(0, most);
  const titles = [...new Set(panels.flatMap((p) => p.curves.map((c) => c.title)))];
  const sameKey = panels.every((p) => p.curves.every((c, i) => c.title === panels[0].curves[i]?.title));
  const keyOf = (panel) => make("ul", { class: "key" }, panel.curves.map((c, i) => make("li", {}, Drawings.mark(figure, i), c.title || "all")));
  const holder = make("div", { class: "panels" });
  function draw() {
    const room = Math.min(holder.clientWidth || 700, 1120);
    const alone = panels.length === 1;
    const width = Math.max(260, Math.min(room, alone ? 1100 : room < 700 ? room : (room - 26) / 2));
    const parts = [];
    if (sameKey && titles.length > 1) parts.push(make("div", { style: "width:100%" }, keyOf(panels[0])));
    for (const panel of panels) {
      const figureElement = make("figure", {});
      if (panel.title) figureElement.append(make("h4", {}, panel.title));
      if (!sameKey && panel.curves.length > 1) figureElement.append(keyOf(panel));
      const drawing = Drawings.panel(figure, panel, width);
      drawing.setAttribute("role", "img");
      figureElement.append(drawing);
      parts.push(figureElement);
    }
    holder.replaceChildren(...parts);
  }
  redraws.push(draw);
  if (figure.shape === "tiles") box.append(quiet(`Rows: ${figure.y_label}. Columns: ${figure.x_label}. ${figure.value_label.replace(" (share of samples)", " in percent")}.`));
  box.append(holder);
  const numbers = make("details", {}, make("summary", {}, "The numbers"));
  numbers.addEventListener("toggle", () => {
    if (numbers.childElementCount > 1) return;
    for (const panel of panels) numbers.append(panel.title ? make("h4", {}, panel.title) : "", figureTable(figure, panel));
  });
  box.append(numbers);
  return box;
}

// ---- sections ----

const sections = [];
function section(id, title, ...parts) { sections.push({ id, title, parts: parts.flat() }); }
const from = (name) => make("p", { class: "from" }, "the same numbers: ", make("code", {}, name));
const asked = (name) => from(`unmask query ${name}`);
const quiet = (text) => make("p", { class: "quiet" }, text);

function figurePart(name, lacks) {
  const figure = data.figures[name];
  if (figure.lacks) return [quiet(lacks ?? figure.lacks)];
  return [showFigure(figure), figure.excess ? quiet(`This is a part: ${figure.excess.replace("a FILTER", "a filter of unmask report")}.`) : null, from(`unmask figure ${name} --out ${name}.csv`)];
}
const folded = (parts) => (parts.length > 1 ? [make("details", {}, make("summary", {}, "As a table"), parts)] : parts);
function tablePart(name, lacks, options) {
  if (!table(name).rows.length) return [quiet(lacks)];
  return [showTable(table(name), options), asked(name)];
}

const name = (r) => `${r.model}/${r.dataset}/${r.objective}/${r.train_solver}/${r.train_seed}`;
const sameThreat = (a, b) => [...networkColumns, "norm", "epsilon_text"].every((c) => a[c] === b[c]);
const level = { masked: "masked", suspect: "suspect", "not detected": "clear" };
const gravity = ["masked", "suspect", "insufficient evidence", "not detected"];
const share = (k, n) => (n ? `${(100 * k / n).toFixed(1)} %` : "none");

function summary() {
  const states = records("status"), worst = records("worst-case");
  const parts = [];
  for (const run of records("latest-runs")) {
    const mine = states.filter((s) => s.study === run.study);
    const sum = (what) => mine.reduce((total, s) => total + (s[what] ?? 0), 0);
    const question = (/^\s*\/\/\s*Question:\s*(.*(?:\n\s*\/\/[^\n]*\S[^\n]*)*)/.exec(run.manifest) ?? [])[1];
    parts.push(make("h3", {}, run.study), make("p", {}, run.description));
    if (question) parts.push(make("p", { class: "quiet" }, question.split(/\n\s*\/\/\s*\n/)[0].replace(/\n\s*\/\/ ?/g, " ")));
    const left = [sum("failed") ? `${sum("failed")} failed` : "", sum("missing") ? `${sum("missing")} missing` : "", sum("running") ? `${sum("running")} running` : ""].filter(Boolean);
    parts.push(make("p", {}, `${sum("done")} of ${counted(sum("cells"), "cell")} done` + (left.length ? `; ${left.join(", ")}.` : ".")));
  }
  const verdicts = records("verdicts").sort((a, b) => gravity.indexOf(a.judgement) - gravity.indexOf(b.judgement));
  const several = new Set(verdicts.map((v) => v.study)).size > 1;
  parts.push(make("div", { class: "cards" }, verdicts.map((v) => {
    const w = worst.find((x) => sameThreat(v, x));
    const interval = w && typeof w.lower === "number" ? `${(100 * w.lower).toFixed(1)} to ${(100 * w.upper).toFixed(1)} % of all images` : "";
    const figureOf = (value, what, below) => make("div", {}, make("b", {}, value), make("span", {}, what), below ? make("span", {}, make("br"), below) : null);
    return make("article", { class: "card" }, make("span", { class: "badge " + (level[v.judgement] ?? "lacking") }, v.judgement),
      make("h3", {}, `${several ? v.study + ": " : ""}${name(v)} under ${v.solver}`), make("p", { class: "quiet" }, `${v.norm} ${v.epsilon_text}, ${v.n} images, ${counted(v.n_attacks, "attack")}` + (v.n_missing ? `, ${v.n_missing} without result` : "")),
      make("div", { class: "numbers" }, figureOf(share(v.clean_correct, v.n), "right without attack"), v.plain_correct === null ? null : figureOf(share(v.plain_correct, v.n), "after the plain gradient attack"),
        figureOf(share(v.robust_correct, v.n), "after all attacks", interval)),
      make("p", {}, v.note ?? ""));
  })));
  if (!verdicts.length) parts.push(quiet("No verdict is stored: a run that ends writes them, unmask verdict judges what is there."));
  parts.push(asked("verdicts"));
  return parts;
}

function evidence() {
  const rules = records("verdict-rules");
  if (!rules.length) return [quiet("No rule was asked: verdicts are written when a run ends.")];
  const groups = new Map();
  for (const rule of rules) {
    const key = networkColumns.concat("norm", "epsilon_text").map((c) => rule[c]).join("\u0000");
    groups.set(key, [...(groups.get(key) ?? []), rule]);
  }
  const parts = [];
  for (const group of groups.values()) {
    const first = group[0];
    const measured = group.filter((r) => typeof r.value === "number");
    const loud = measured.filter((r) => r.state !== "quiet");
    const line = (r) => make("div", { class: "rule" }, make("b", {}, r.rule.replaceAll("_", " ")), drawnBullet(r),
      make("p", {}, `${Drawings.plain(r.value)} (` + (typeof r.threshold === "number" ? `threshold ${Drawings.plain(r.threshold)}` : "no threshold") + (typeof r.lower === "number" && typeof r.upper === "number" ? `, 95 % interval ${Drawings.plain(r.lower)} to ${Drawings.plain(r.upper)}` : "") +
        (typeof r.p_adjusted === "number" ? `, adjusted p ${Drawings.plain(r.p_adjusted)}` : "") + `): ${r.sentence ?? ""}`));
    const rest = measured.filter((r) => r.state === "quiet");
    const lacking = group.filter((r) => typeof r.value !== "number");
    parts.push(make("h3", {}, make("span", { class: "badge " + (level[first.judgement] ?? "lacking") }, first.judgement), ` ${name(first)} under ${first.solver}, ${first.norm} ${first.epsilon_text}`));
    parts.push(...(loud.length ? loud.map(line) : [quiet("No rule speaks.")]));
    if (rest.length) parts.push(make("details", {}, make("summary", {}, `${counted(rest.length, "rule")} looked and stayed quiet`), rest.map(line)));
    if (lacking.length) parts.push(make("details", {}, make("summary", {}, `${counted(lacking.length, "rule")} had no evidence`), make("ul", {}, lacking.map((r) => make("li", {}, make("b", {}, r.rule.replaceAll("_", " ")), `: needs ${r.sentence ?? ""}`)))));
  }
  parts.push(asked("verdict-rules"));
  return parts;
}
// A number without a threshold has nothing to be drawn against.
function drawnBullet(r) {
  if (typeof r.threshold !== "number") return make("span", { class: "quiet" }, "no threshold");
  const holder = make("span");
  redraws.push(() => { const b = Drawings.bullet(r.value, r.threshold); b.setAttribute("role", "img"); holder.replaceChildren(b); });
  return holder;
}

// Samples with their kept images, by network and radius.
function pictures() {
  const source = table("pictured-samples");
  if (!source.rows.length) return [quiet("No attack kept its images: \"save\": \"adversarials\" in evaluate keeps them, and this page shows some.")];
  const shown = records("pictured-samples").map((r, i) => ({ ...r, picture: data.pictures[i] }));
  const groups = new Map();
  for (const r of shown) {
    if (r.picture.lacks) continue;
    const key = `${name(r)} under ${r.solver}, ${r.norm} ${r.epsilon_text}`;
    groups.set(key, [...(groups.get(key) ?? []), r]);
  }
  const image = (png, alt, picture) => make("img", { src: "data:image/png;base64," + png, alt, width: picture.width, height: picture.height });
  const card = (r) => {
    const called = r.prediction === r.label ? `still called ${r.prediction}` : `called ${r.prediction}`;
    return make("li", { class: r.n_fooled ? "fooled" : "robust" },
      make("div", { class: "shots" }, image(r.picture.clean, `Sample ${r.sample} of class ${r.label}, without an attack`, r.picture),
        image(r.picture.adversarial, `The same after ${r.attack}, ${called}`, r.picture),
        image(r.picture.difference, `What ${r.attack} changed, made stronger until it is black or white`, r.picture)),
      make("b", {}, `Sample ${r.sample}: ${r.class}`),
      make("p", {}, `Class ${r.label}, ${called} after ${r.attack}, ${r.norm} distance ${Drawings.plain(r.distance)}. ` +
        (r.n_fooled ? `Fooled by ${r.n_fooled} of ${r.n_attacks}: ${r.fooled_by}.` : `None of ${counted(r.n_attacks, "attack")} fools it.`)));
  };
  const parts = [quiet("Left the image, in the middle the nearest image that was kept of it, right what the attack changed, made stronger until it is black or white.")];
  for (const [title, group] of groups) {
    const order = [...new Set(group.map((r) => r.class))].sort();
    parts.push(make("h4", {}, title), make("ul", { class: "pictured" }, order.flatMap((c) => group.filter((r) => r.class === c)).map(card)));
  }
  const lacking = shown.filter((r) => r.picture.lacks);
  if (lacking.length) parts.push(quiet(`${counted(lacking.length, "sample")} without a picture: ${[...new Set(lacking.map((r) => r.picture.lacks))].join("; ")}.`));
  if (source.left_out) parts.push(quiet(`${counted(source.left_out, "further sample")} would be shown; a report of fewer networks shows more of each.`));
  parts.push(make("details", {}, make("summary", {}, "As a table"), showTable(source)), quiet("unmask samples KEY --png draws all samples of one attack."));
  return parts;
}

function samples() {
  if (!table("sample-classes").rows.length) return [quiet("No attack has a result.")];
  return [make("h3", {}, "What it takes to fool them"), quiet("All samples of each radius: those that no attack fools, and those that only attacks without gradients find."),
    ...tablePart("sample-classes", "No attack has a result."), make("h3", {}, "Pictures"), ...pictures(),
    make("details", {}, make("summary", {}, "Sample by sample"), showTable(table("worst-case-samples")), asked("worst-case-samples"))];
}

function provenance() {
  const parts = [make("p", {}, "To make this report again, and the study behind it:"), make("pre", {}, data.command.map(quoted).join(" "))];
  for (const run of records("latest-runs")) {
    const facts = [["manifest", run.manifest_sha256], ["run", `${run.started_at} to ${run.ended_at ?? "now"}, ${run.state}`], ["unmask", run.tool + (run.git_commit ? `, commit ${run.git_commit}${run.git_dirty ? " with changes" : ""}` : "")],
      ["LibTorch", run.libtorch], ["BLAS", run.blas], ["kernels", run.kernels], ["processor", run.cpu], ["GPU", run.gpu], ["system", run.os], ["compiler", run.compiler]];
    parts.push(make("h3", {}, run.study), make("pre", {}, JSON.parse(run.argv).map(quoted).join(" ")),
      make("div", { class: "scroll", tabindex: "0" }, make("table", {}, make("tbody", {}, facts.filter(([, v]) => v).map(([k, v]) => make("tr", {}, make("th", { scope: "row" }, k), make("td", {}, v)))))),
      make("details", {}, make("summary", {}, "The manifest"), make("pre", {}, run.manifest)));
  }
  parts.push(make("h3", {}, "Plugins"), ...tablePart("plugins", "No plugin took part."));
  return parts;
}

const studies = records("latest-runs").map((r) => r.study);
document.getElementById("title").textContent = studies.join(", ");
document.title = `${studies.join(", ")} - unmask report`;
document.getElementById("subtitle").textContent = `made by unmask ${data.tool}; everything on this page is in the file itself`;

section("summary", "Summary", summary());
section("robustness", "Robustness", figurePart("robustness"), tablePart("robustness", "No attack has a result."), make("h3", {}, "Against all attacks at once"), tablePart("worst-case", "No attack has a result."),
  make("details", {}, make("summary", {}, "Every attack with its interval"), tablePart("accuracy", "No attack has a result.")));
section("solvers", "Solvers and gradients", make("h3", {}, "The same attack through other gradients"), figurePart("gradient-matrix", "Only one gradient was taken: name solvers under \"gradient\" in evaluate."),
  folded(tablePart("gradient-matrix", "No attack has a result.")), make("h3", {}, "The same weights under other solvers"), figurePart("solver-ladder", "Every network was evaluated under one solver: name several under \"solver\" in evaluate."));
section("effort", "Radius and effort", make("h3", {}, "Accuracy over the radius"), figurePart("accuracy-epsilon", "One radius was asked for: name several under \"epsilon\" in evaluate."), make("h3", {}, "More steps, queries or restarts"),
  figurePart("elasticity", "No two attacks differ in one of these alone: define one with more \"steps\"."), folded(tablePart("elasticity", "There is nothing to compare.")), make("details", {}, make("summary", {}, "Everything that cells differ in alone"), tablePart("sweep", "Cells differ in nothing alone.")));
section("seeds", "Seeds", figurePart("seeds", "One seed was trained: name several under \"seed\" in train."), folded(tablePart("seeds", "No attack has a result.")));
section("evidence", "Evidence of masking", evidence(), make("h3", {}, "Gradients against others"), figurePart("gradient-cosine", "No gradient was compared: the probes batch_gradient, gradient_rules and spsa_agreement do."), make("h3", {}, "Leak from other images"), figurePart("leak-ratio", "No leak was measured: the probe batch_gradient does."),
  make("h3", {}, "Gradient against finite differences"), figurePart("finite-differences", "No differences were taken: the probe finite_differences does."), make("h3", {}, "Loss along the gradient"), figurePart("loss-line", "No line was followed: the probe path_discontinuity does."),
  make("h3", {}, "Paths of attacks"), figurePart("attack-path", "No attack recorded its path: give pgd or apgd the parameter \"trace\": 4."), make("h3", {}, "Loss landscape"), figurePart("landscape", "No landscape was recorded: the probe linearity draws them."), make("h3", {}, "Warnings"), tablePart("warnings", "Nothing makes these results doubtful."));
section("training", "Training", figurePart("training", "No training was recorded: the networks came from elsewhere."));
section("cost", "Cost", make("h3", {}, "What each attack found, and its price"), figurePart("attack-cost", "No attack has a result."), tablePart("effort", "No attack has a result."), make("h3", {}, "Work of the solvers"), tablePart("solves", "No network solves an equation."));
section("samples", "Samples", samples());
section("failures", "Failed and missing", tablePart("status", ""), tablePart("failures", "Nothing failed."), tablePart("remarks", "No worker had a remark."));
section("provenance", "Provenance", provenance());

const main = document.getElementById("main"), contents = document.getElementById("contents");
for (const s of sections) {
  contents.append(make("a", { href: "#" + s.id }, s.title));
  main.append(make("section", { id: s.id, "aria-labelledby": s.id + "-title" }, make("h2", { id: s.id + "-title" }, s.title), s.parts));
}

const theme = document.getElementById("theme");
function setDark(dark) {
  document.documentElement.classList.toggle("dark", dark);
  theme.textContent = dark ? "Light" : "Dark";
  theme.setAttribute("aria-pressed", String(dark));
  for (const draw of redraws) draw();
}
theme.addEventListener("click", () => setDark(!document.documentElement.classList.contains("dark")));
setDark(matchMedia("(prefers-color-scheme: dark)").matches);
let waiting = 0;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(() => { for (const draw of redraws) draw(); }, 150); });
addEventListener("beforeprint", () => setDark(false));
