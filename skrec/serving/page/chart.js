// Charts as SVG of attributes and classes; colours are in the style sheet.

import { dayAndMonth, quality, svg } from "./dom.js";

const MARGIN = { top: 14, right: 12, bottom: 24, left: 40 };

function niceStep(top) {
  const rough = top / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough);
}

function line(points) {
  return points.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

/** Draw NDCG by day of the model and of popularity into a node, as wide as the node. */
export function qualityChart(node, rows, label) {
  const width = Math.max(240, Math.floor(node.clientWidth));
  const height = 230;
  const values = rows.flatMap((row) => [row.ndcg, row.popularity_ndcg]).filter((value) => typeof value === "number");
  const step = niceStep(Math.max(...values, 0.001) * 1.05);
  const top = step * Math.ceil((Math.max(...values, 0.001) * 1.02) / step);
  const right = width - MARGIN.right;
  const bottom = height - MARGIN.bottom;
  const x = (place) => (rows.length === 1 ? (MARGIN.left + right) / 2 : MARGIN.left + 8 + (place * (right - MARGIN.left - 16)) / (rows.length - 1));
  const y = (value) => bottom - (value / top) * (bottom - MARGIN.top);

  const chart = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (let value = 0; value <= top + step / 2; value += step) {
    chart.append(
      svg("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y(value), y2: y(value) }),
      svg("text", { class: "tick", x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2)),
    );
  }
  const every = Math.max(1, Math.ceil(rows.length / Math.max(2, Math.floor(width / 90))));
  rows.forEach((row, place) => {
    if (place % every === 0) chart.append(svg("text", { class: "tick", x: x(place), y: height - 6, "text-anchor": "middle" }, dayAndMonth(row.day)));
    if (place > 0 && row.version !== rows[place - 1].version) {
      const middle = (x(place) + x(place - 1)) / 2;
      chart.append(
        svg("line", { class: "change", x1: middle, x2: middle, y1: MARGIN.top, y2: bottom }),
        svg("text", { class: "tick", x: middle + 4, y: MARGIN.top + 4 }, `version ${row.version}`),
      );
    }
  });
  for (const [name, column] of [["popularity", "popularity_ndcg"], ["model", "ndcg"]]) {
    const points = rows.flatMap((row, place) => (typeof row[column] === "number" ? [[x(place), y(row[column]), row]] : []));
    chart.append(svg("path", { class: `series ${name}`, d: line(points) }));
    for (const [left, height_, row] of points) {
      const text = `${dayAndMonth(row.day)}: ${name} ${quality(row[column])} (version ${row.version}, ${row.n_users} users)`;
      const mark = name === "model"
        ? svg("circle", { cx: left, cy: height_, r: 3.5 })
        : svg("rect", { x: left - 3, y: height_ - 3, width: 6, height: 6 });
      mark.classList.add("point", name);
      mark.append(svg("title", {}, text));
      chart.append(mark);
    }
  }
  node.replaceChildren(chart);
}

/** Draw the last values as a small line. */
export function sparkline(chart, values) {
  const width = chart.viewBox.baseVal.width;
  const height = chart.viewBox.baseVal.height;
  const top = Math.max(...values, 1);
  const points = values.map((value, place) => [
    1 + (place * (width - 2)) / Math.max(1, values.length - 1),
    height - 2 - (value / top) * (height - 4),
  ]);
  chart.replaceChildren(svg("path", { d: points.length > 1 ? line(points) : "" }));
}
