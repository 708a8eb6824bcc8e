// Encoding of windows and decoding of poses, by the codec that meta.json names; see
// docs/export.md. Windows are [frame][joint][x, y(, score)] in pixels.

const byWidth = (window, { width, height }) => window.map((frame) => frame.map(
  ([x, y]) => [(2 * x) / width - 1, (2 * y - height) / width],
));
const scaled = (poses, factor) => poses.map((pose) => pose.map((at) => at.map((value) => value * factor)));

export const CODECS = {
  CameraPoseLifting: (window, camera) => ({ input: byWidth(window, camera), decode: (poses) => poses }),
  ImageSpacePoseLifting: (window, camera, { unit_size: unit = 2, with_scores: scores = true }) => ({
    input: byWidth(window, camera).map((frame, time) => frame.map(
      (at, joint) => (scores ? [...at, window[time][joint][2]] : at),
    )),
    decode: (poses) => scaled(poses, unit),
  }),
  PersonCenteredPoseLifting: personCentered,
};

// A virtual camera points at the mean joint of the middle frames, and its zoom makes the
// mean distance of joints from their frame's mean equal to the size.
function personCentered(window, camera, { size = 0.5, num_center_frames: middle = 9 }) {
  const rays = window.map((frame) => frame.map(([x, y]) => [
    (x - camera.width / 2) / camera.focal, (y - camera.height / 2) / camera.focal, 1,
  ]));
  const first = Math.max(Math.floor((window.length - middle) / 2), 0);
  const rotation = lookAt(mean(rays.slice(first, window.length - first).flat()));
  const framed = rays.map((frame) => frame.map((ray) => {
    const [x, y, z] = turn(rotation, ray, true);
    return [x / Math.max(z, 0.1), y / Math.max(z, 0.1)];
  }));
  const distances = framed.flatMap((frame) => {
    const [x, y] = mean(frame);
    return frame.map((at) => Math.hypot(at[0] - x, at[1] - y));
  });
  const away = distances.reduce((a, b) => a + b) / distances.length;
  const input = scaled(framed, size / Math.max(away, 1e-6));
  return { input, decode: (poses) => poses.map((pose) => pose.map((at) => turn(rotation, at))) };
}

const mean = (points) => points[0].map((_, axis) => points.reduce((sum, at) => sum + at[axis], 0) / points.length);

// Columns are the axes of a camera that looks in a direction, without roll.
function lookAt([x, y, z]) {
  const level = Math.hypot(x, z);
  const length = Math.hypot(level, y);
  const [sinYaw, cosYaw, sinPitch, cosPitch] = [x / level, z / level, y / length, level / length];
  return [
    [cosYaw, -sinYaw * sinPitch, sinYaw * cosPitch],
    [0, cosPitch, sinPitch],
    [-sinYaw, -cosYaw * sinPitch, cosYaw * cosPitch],
  ];
}

const turn = (matrix, at, back = false) => [0, 1, 2].map((row) => [0, 1, 2].reduce(
  (sum, column) => sum + (back ? matrix[column][row] : matrix[row][column]) * at[column], 0,
));

// Position of a vector's peak in bins, and its highest value; as find_peaks of mmhot.
export function findPeak({ data, dims }, row, smoothing) {
  const bins = dims.at(-1);
  const vector = data.subarray(row * bins, (row + 1) * bins);
  const value = Math.max(...vector);
  if (!smoothing) return { position: vector.indexOf(value), bins, value };
  const radius = Math.ceil(3 * smoothing);
  const weights = Array.from({ length: 2 * radius + 1 }, (_, at) => Math.exp(-0.5 * ((at - radius) / smoothing) ** 2));
  const inside = (bin) => Math.min(Math.max(bin, 0), bins - 1);
  const smooth = Array.from(vector, (_, bin) => weights.reduce((sum, by, at) => sum + by * vector[inside(bin + at - radius)], 0));
  const highest = smooth.indexOf(Math.max(...smooth));
  const [before, peak, after] = [-1, 0, 1].map((by) => smooth[inside(highest + by)]);
  const bend = 2 * peak - before - after;
  return { position: highest + (after - before) / 2 / (bend > 0 ? bend : 1), bins, value };
}
