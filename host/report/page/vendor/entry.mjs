// What the report needs of Observable Plot, as one global; README.md says how plot.bundle.js is made of it.
import {
  areaY, axisX, axisY, barX, cell, dot, frame, gridX, gridY, line, link, plot, pointer, rectY, ruleX, ruleY, text,
  tickX, tip
} from "@observablehq/plot";

window.Plot = {
  areaY, axisX, axisY, barX, cell, dot, frame, gridX, gridY, line, link, plot, pointer, rectY, ruleX, ruleY, text,
  tickX, tip
};
