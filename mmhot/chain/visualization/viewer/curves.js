// Curves of angles and distances over the frames of a clip or over a gait cycle.

const STEPS = { '°': [5, 10, 15, 30, 45, 90], ' m': [0.1, 0.2, 0.5, 1, 2, 5, 10] }; // steps between lines, by unit
const LINES = 4; // most lines of a chart
const SIZE = 10; // font size of their numbers, pixels
export const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3]];
export const STYLES = ['solid', 'dashed', 'dotted', 'double'];

// Fit a canvas to its place in the page; return its context and its pixels per CSS pixel.
export function fit(canvas) {
  const ratio = window.devicePixelRatio;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  return [canvas.getContext('2d'), ratio];
}

// Draw curves { values, spread, color, dash, unit } by frame, within margins in pixels. NaN breaks
// a curve, and each unit has its own axis. Marks are names at even distances along the time axis.
export function drawCurves(canvas, curves, margin, { ink, faint, panel }, marks) {
  const [brush, ratio] = fit(canvas);
  brush.font = `${SIZE * ratio}px system-ui, sans-serif`;
  const [left, width] = [margin * ratio, canvas.width - 2 * margin * ratio];
  const write = (text, x, y) => {
    [brush.strokeStyle, brush.fillStyle, brush.lineWidth] = [panel, ink, 3 * ratio];
    brush.strokeText(text, x, y);
    brush.fillText(text, x, y);
  };
  const places = marks.map((_, index) => left + ((index + 1) / (marks.length + 1)) * width);
  brush.fillStyle = faint;
  for (const place of places) brush.fillRect(place, 0, ratio, canvas.height);
  brush.textBaseline = 'middle';
  for (const unit of Object.keys(STEPS)) {
    const same = curves.filter((curve) => curve.unit === unit);
    const scale = scaleOf(same, STEPS[unit]);
    if (!scale) continue;
    const [low, high, step] = scale;
    const yOf = (value) => (0.5 * SIZE + ((high - value) / (high - low)) * (canvas.height / ratio - SIZE)) * ratio;
    const lines = Array.from({ length: Math.round((high - low) / step) + 1 }, (_, index) => low + index * step);
    const isFirst = same.length === curves.length || unit === '°';
    brush.fillStyle = faint;
    if (isFirst) for (const value of lines) brush.fillRect(left, yOf(value), width, ratio);
    for (const curve of same) drawCurve(brush, curve, (share) => left + share * width, yOf, ratio);
    brush.textAlign = isFirst ? 'left' : 'right';
    for (const value of lines) write(`${Number(value.toFixed(1))}${unit}`, isFirst ? left : left + width, yOf(value));
  }
  brush.textAlign = 'center';
  marks.forEach((mark, index) => write(mark, places[index], canvas.height - 0.5 * SIZE * ratio));
}

// Return the lowest and highest line and the step between lines; nothing without values.
function scaleOf(curves, steps) {
  let [low, high] = [Infinity, -Infinity];
  for (const { values, spread } of curves) values.forEach((value, index) => {
    const about = spread?.[index] || 0;
    if (value - about < low) low = value - about;
    if (value + about > high) high = value + about;
  });
  if (low > high) return null;
  const step = steps.find((each) => (high - low) / each <= LINES) || steps.at(-1);
  low = Math.floor(low / step) * step;
  return [low, Math.max(Math.ceil(high / step) * step, low + step), step];
}

// Draw a curve, and a band of its spread if it has one.
function drawCurve(brush, { values, spread, color, dash }, xOf, yOf, ratio) {
  const at = (index) => xOf(index / Math.max(values.length - 1, 1));
  [brush.strokeStyle, brush.fillStyle] = [color, color];
  if (spread) {
    brush.beginPath();
    values.forEach((value, index) => brush.lineTo(at(index), yOf(value + spread[index])));
    for (let index = values.length - 1; index >= 0; index -= 1) brush.lineTo(at(index), yOf(values[index] - spread[index]));
    brush.globalAlpha = 0.2;
    brush.fill();
    brush.globalAlpha = 1;
  }
  brush.lineWidth = 2 * ratio;
  brush.lineJoin = 'round';
  brush.setLineDash(dash.map((each) => each * ratio));
  brush.beginPath();
  let before = NaN;
  values.forEach((value, index) => {
    // Angles are periodic: 179 and -179 degrees are neighbors.
    if (Math.abs(value - before) < 180) brush.lineTo(at(index), yOf(value));
    else brush.moveTo(at(index), yOf(value));
    before = value;
  });
  brush.stroke();
  brush.setLineDash([]);
}
