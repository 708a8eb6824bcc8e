// Curves of angles over the frames of a clip.

const DEGREES = [5, 10, 15, 30, 45, 90]; // between lines
const LINES = 4; // the most of them
const SIZE = 10; // pixels of their numbers
export const DASHES = [[], [6, 3], [2, 3], [9, 3, 2, 3]];
export const STYLES = ['solid', 'dashed', 'dotted', 'double'];

// Fit a canvas to its place in the page; returns its brush and its pixels per CSS pixel.
export function fit(canvas) {
  const ratio = window.devicePixelRatio;
  canvas.width = canvas.clientWidth * ratio;
  canvas.height = canvas.clientHeight * ratio;
  return [canvas.getContext('2d'), ratio];
}

// Draw { values, color, dash } by frame between margins in pixels; NaN breaks a curve.
export function drawCurves(canvas, curves, margin, { ink, faint, panel }) {
  const [brush, ratio] = fit(canvas);
  let [low, high] = [Infinity, -Infinity];
  for (const { values } of curves) for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return;
  const step = DEGREES.find((each) => (high - low) / each <= LINES) || 90;
  [low, high] = [Math.floor(low / step) * step, Math.max(Math.ceil(high / step), Math.floor(low / step) + 1) * step];
  const yOf = (value) => (0.5 * SIZE + ((high - value) / (high - low)) * (canvas.height / ratio - SIZE)) * ratio;
  brush.font = `${SIZE * ratio}px system-ui, sans-serif`;
  brush.textBaseline = 'middle';
  brush.lineWidth = ratio;
  for (let value = low; value <= high; value += step) {
    brush.fillStyle = faint;
    brush.fillRect(margin * ratio, yOf(value), canvas.width - 2 * margin * ratio, ratio);
  }
  brush.lineWidth = 2 * ratio;
  brush.lineJoin = 'round';
  for (const { values, color, dash } of curves) {
    brush.strokeStyle = color;
    brush.setLineDash(dash.map((each) => each * ratio));
    brush.beginPath();
    let before = NaN;
    values.forEach((value, index) => {
      const x = (margin + (index / Math.max(values.length - 1, 1)) * (canvas.width / ratio - 2 * margin)) * ratio;
      // angles go round: 179 and -179 degrees are neighbors
      if (Math.abs(value - before) < 180) brush.lineTo(x, yOf(value));
      else brush.moveTo(x, yOf(value));
      before = value;
    });
    brush.stroke();
  }
  brush.setLineDash([]);
  brush.lineWidth = 3 * ratio;
  [brush.strokeStyle, brush.fillStyle] = [panel, ink];
  for (let value = low; value <= high; value += step) {
    brush.strokeText(`${value}°`, margin * ratio, yOf(value));
    brush.fillText(`${value}°`, margin * ratio, yOf(value));
  }
}
