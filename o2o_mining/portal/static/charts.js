// Draws the charts of a page. Their figures stand beside them as JSON; colours are those of the style sheet.
"use strict";

const drawn = () => document.querySelectorAll(".chart > script[type='application/json']");

function coloured(value, style) {
  if (typeof value === "string") {
    const name = /^var\((--[\w-]+)\)$/.exec(value);
    return name ? style.getPropertyValue(name[1]).trim() : value;
  }
  if (Array.isArray(value)) return value.map((one) => coloured(one, style));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, coloured(one, style)]));
  }
  return value;
}

function draw(source) {
  const style = getComputedStyle(document.documentElement);
  const figure = coloured(JSON.parse(source.textContent), style);
  const ink = style.getPropertyValue("--ink").trim();
  const axis = { gridcolor: style.getPropertyValue("--line").trim(), zerolinecolor: style.getPropertyValue("--line").trim(), automargin: true };
  const layout = {
    ...figure.layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, color: ink, size: 13 },
    margin: { t: 10, r: 10, b: 40, l: 40 },
    dragmode: false,
    legend: { orientation: "h", y: -0.2 },
    xaxis: { ...axis, ...figure.layout.xaxis },
    yaxis: { ...axis, ...figure.layout.yaxis },
  };
  const place = source.parentElement;
  let canvas = place.querySelector(".drawn");
  if (!canvas) {
    canvas = place.appendChild(document.createElement("div"));
    canvas.className = "drawn";
  }
  Plotly.react(canvas, figure.data, layout, { displayModeBar: false, responsive: true });
}

function drawAll() {
  drawn().forEach(draw);
}

document.addEventListener("DOMContentLoaded", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
