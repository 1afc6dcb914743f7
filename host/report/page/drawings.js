"use strict";
// Figures of the report: the data of `unmask figure`, drawn by Observable Plot.
const Drawings = (() => {
  // Okabe and Ito's colours, told apart by people who see few; marks and dashes say the same again.
  const light = ["#0072b2", "#c24e00", "#00795a", "#9c4a82", "#8a6d00", "#8d949e", "#1b1d21", "#a3281c"];
  const dark = ["#6bb3e8", "#f2955a", "#54c9a2", "#dc9cc6", "#d9c04c", "#7d8592", "#f2f3f5", "#f08b7f"];
  const symbols = ["circle", "square", "triangle", "diamond", "cross", "star", "wye", "hexagon"];
  const dashes = ["", "6 3", "2 2", "8 3 2 3", "10 4", "4 2", "1 3", "12 3 3 3"];

  const isDark = () => document.documentElement.classList.contains("dark");
  const colour = (i) => (isDark() ? dark : light)[i % light.length];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const number = (v) => (typeof v === "number" ? v : NaN);
  const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);
  const percent = (v) => (100 * v).toFixed(v > 0 && v < 0.1 ? 1 : 0);
  const plain = (v) => (typeof v !== "number" ? String(v ?? "") : Number.isInteger(v) ? String(v) : Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5 ? String(+v.toPrecision(4)) : v.toExponential(2));
  const shown = (figure, v) => (figure.is_share ? percent(v) + " %" : plain(v));

  // Every point of a panel, with the name and place of its curve.
  const pointsOf = (panel) => panel.curves.flatMap((curve, i) => curve.points.map((p) => ({
    curve: curve.title, i, x: number(p[0]), y: number(p[1]),
    low: p.length > 2 ? number(p[2]) : NaN, high: p.length > 2 ? number(p[3]) : NaN,
  })));
  const hasInterval = (p) => !Number.isNaN(p.low) && !Number.isNaN(p.high);

  // Shares are drawn in percent.
  const labelOf = (figure, label) => (figure.is_share && label ? label.replace(" (share of samples)", ", %") : label || null);

  const base = (figure, panel, width) => ({
    width, marginLeft: 48, marginRight: 22, style: { fontSize: "11px", background: "transparent", color: css("--ink"), overflow: "visible" },
    ariaLabel: panel.title || figure.title,
    y: { label: labelOf(figure, panel.y_label || figure.y_label), grid: true, ...(figure.is_share ? { domain: [0, 1], tickFormat: percent } : {}) },
  });

  function categoryPlot(figure, panel, width) {
    const names = panel.categories;
    const points = pointsOf(panel).filter((p) => !Number.isNaN(p.y));
    const many = panel.curves.length;
    // Curves stand beside each other within a category.
    const place = (p) => p.x + (many > 1 ? ((p.i + 0.5) / many - 0.5) * 0.76 : 0);
    const longest = Math.max(0, ...names.map((n) => Math.min(n.length, 26)));
    const steep = longest * 6.2 * names.length > width - 60;
    const options = base(figure, panel, width);
    const half = many > 1 ? 0.76 / many / 2 - 0.01 : 0.28;
    const marks = [Plot.ruleY([0], { stroke: css("--quiet") })];
    for (let i = 0; i < many; ++i) {
      const mine = points.filter((p) => p.i === i);
      if (figure.shape === "bars") {
        marks.push(Plot.rectY(mine, { x1: (p) => place(p) - half, x2: (p) => place(p) + half, y1: 0, y2: "y", fill: colour(i), fillOpacity: 0.85,
          title: (p) => `${names[p.x] ?? ""}\n${p.curve}: ${shown(figure, p.y)}` + (hasInterval(p) ? ` (${shown(figure, p.low)} to ${shown(figure, p.high)})` : ""), tip: true }));
      } else {
        if (figure.shape === "ladder") marks.push(Plot.line(mine, { x: place, y: "y", stroke: colour(i), strokeDasharray: dashes[i % 8] || null }));
        marks.push(Plot.dot(mine, { x: place, y: "y", symbol: symbols[i % 8], fill: colour(i), stroke: css("--paper"), r: 4.5,
          title: (p) => `${names[p.x] ?? ""}\n${p.curve}: ${shown(figure, p.y)}`, tip: true }));
      }
      marks.push(Plot.ruleX(mine.filter(hasInterval), { x: place, y1: "low", y2: "high", stroke: css("--ink"), strokeWidth: 1.2 }));
    }
    return Plot.plot({ ...options, height: 240 + (steep ? longest * 3.9 : 0), marginBottom: steep ? 22 + longest * 3.9 : 28,
      x: { label: null, domain: [-0.6, names.length - 0.4], ticks: names.map((_, i) => i),
        tickFormat: (i) => short(names[i] ?? "", 26), tickRotate: steep ? -40 : 0 }, marks });
  }

  function curvePlot(figure, panel, width) {
    const points = pointsOf(panel).filter((p) => !Number.isNaN(p.y) && !(panel.is_log_x && p.x <= 0));
    const marks = [];
    panel.curves.forEach((_, i) => {
      const mine = points.filter((p) => p.i === i).sort((a, b) => a.x - b.x);
      const sure = mine.filter(hasInterval);
      if (sure.length > 1) marks.push(Plot.areaY(sure, { x: "x", y1: "low", y2: "high", fill: colour(i), fillOpacity: 0.13 }));
      if (sure.length === 1) marks.push(Plot.ruleX(sure, { x: "x", y1: "low", y2: "high", stroke: colour(i) }));
      marks.push(Plot.line(mine, { x: "x", y: "y", stroke: colour(i), strokeWidth: 1.6, strokeDasharray: dashes[i % 8] || null }));
      if (mine.length <= 40) {
        marks.push(Plot.dot(mine, { x: "x", y: "y", symbol: symbols[i % 8], fill: colour(i), r: 3.6,
          title: (p) => `${p.curve}\n${plain(p.x)}: ${shown(figure, p.y)}`, tip: true }));
      }
    });
    const options = base(figure, panel, width);
    if (figure.is_share && panel.y_label && points.some((p) => p.y > 1 || p.y < 0)) delete options.y.domain;
    // Attacks are points, not lines, where each has one: what they found is seen from nothing on.
    if (!figure.is_share && panel.curves.every((c) => c.points.length === 1) && points.every((p) => p.y >= 0)) Object.assign(options.y, { zero: true, inset: 6 });
    const alone = points.length > 0 && points.every((p) => p.x === points[0].x);
    return Plot.plot({ ...options, height: 250, marginBottom: 38,
      x: { label: panel.x_label || figure.x_label, type: panel.is_log_x ? "log" : "linear", tickFormat: panel.is_log_x || alone ? plain : undefined, ...(alone ? { ticks: [points[0].x] } : {}) }, marks });
  }

  function heat(low, high, t) {
    const parse = (c) => [1, 3, 5].map((k) => parseInt(c.slice(k, k + 2), 16));
    const a = parse(low), b = parse(high);
    return "rgb(" + a.map((v, k) => Math.round(v + (b[k] - v) * t)).join(",") + ")";
  }

  function tilePlot(figure, panel, width) {
    const surface = figure.shape === "surface";
    const tiles = panel.tiles.map(([r, c, v]) => ({ r, c, v: number(v) })).filter((t) => !Number.isNaN(t.v));
    const values = tiles.map((t) => t.v);
    const low = figure.is_share ? 0 : Math.min(...values), high = figure.is_share ? 1 : Math.max(...values);
    const share = (v) => (high > low ? (v - low) / (high - low) : 0.5);
    const fill = (t) => heat(css("--heat-low"), css("--heat-high"), share(t.v));
    const rows = panel.rows, columns = panel.categories;
    const longest = Math.max(0, ...columns.map((n) => Math.min(n.length, 22)));
    const left = surface ? 40 : 20 + 6.2 * Math.max(0, ...rows.map((n) => Math.min(n.length, 26)));
    const wide = surface ? Math.min(width, 320) : Math.min(width, left + 30 + columns.length * 84);
    const at = (k) => (panel.size > 1 ? (2 * k) / (panel.size - 1) - 1 : 0);
    const marks = [Plot.cell(tiles, { x: "c", y: "r", fill, inset: surface ? 0 : 1, title: (t) => surface ? plain(t.v) :
      `${rows[t.r]} answers, gradient of ${columns[t.c]}: ${shown(figure, t.v)}`, tip: surface })];
    if (!surface) marks.push(Plot.text(tiles, { x: "c", y: "r", text: (t) => (figure.is_share ? percent(t.v) : plain(t.v)), fill: (t) => (share(t.v) > 0.55 ? css("--paper") : css("--ink")) }));
    const n = surface ? panel.size : columns.length, m = surface ? panel.size : rows.length;
    const some = (k, count) => !surface || k === 0 || k === count - 1 || 2 * k === count - 1;
    return Plot.plot({ ...base(figure, panel, wide), marginLeft: left, marginBottom: surface ? 34 : 30 + longest * 3.6,
      height: surface ? 300 : 52 + longest * 3.6 + 34 * m,
      x: { type: "band", domain: [...Array(n).keys()], label: surface ? panel.x_label || figure.x_label : null, tickFormat: (k) => (surface ? (some(k, n) ? String(at(k)) : "") : short(columns[k], 22)), tickSize: 0, tickRotate: surface ? 0 : -30 },
      y: { type: "band", domain: [...Array(m).keys()], label: surface ? panel.y_label || figure.y_label : null, grid: false, tickFormat: (k) => (surface ? (some(k, m) ? String(at(k)) : "") : short(rows[k], 26)), tickSize: 0 },
      marks });
  }

  function panel(figure, which, width) {
    if (figure.shape === "tiles" || figure.shape === "surface") return tilePlot(figure, which, width);
    return figure.shape === "curves" ? curvePlot(figure, which, width) : categoryPlot(figure, which, width);
  }

  // The mark of a curve, for the key.
  function mark(figure, i) {
    const spec = { width: 26, height: 12, margin: 0, x: { domain: [0, 1], axis: null }, y: { domain: [0, 1], axis: null }, style: { background: "transparent" } };
    const marks = [];
    if (figure.shape === "bars") marks.push(Plot.rectY([0], { x1: () => 0.2, x2: () => 0.8, y1: 0.05, y2: () => 0.95, fill: colour(i) }));
    if (figure.shape === "curves" || figure.shape === "ladder") marks.push(Plot.line([[0, 0.5], [1, 0.5]], { stroke: colour(i), strokeWidth: 1.6, strokeDasharray: dashes[i % 8] || null }));
    if (figure.shape !== "bars") marks.push(Plot.dot([[0.5, 0.5]], { fill: colour(i), symbol: symbols[i % 8], r: 4 }));
    return Plot.plot({ ...spec, marks });
  }

  // A number against the threshold of its rule, both from 0 to the larger of them.
  function bullet(value, threshold) {
    const most = Math.max(Math.abs(value), Math.abs(threshold), 1e-12);
    return Plot.plot({ width: 130, height: 16, margin: 0, x: { domain: [Math.min(0, value / most, threshold / most), 1.03], axis: null }, y: { axis: null, domain: [0, 1] },
      style: { background: "transparent" }, ariaLabel: `${plain(value)}, threshold ${plain(threshold)}`,
      marks: [Plot.rectY([0], { x1: () => Math.min(0, value / most), x2: () => Math.max(0, value / most), y1: 0.25, y2: () => 0.75, fill: colour(0) }),
        Plot.ruleX([threshold / most], { stroke: css("--ink"), strokeWidth: 2 })] });
  }

  return { panel, mark, bullet, percent, plain };
})();
