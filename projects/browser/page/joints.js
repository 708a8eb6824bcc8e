// Keypoints of the 2D model to those of the lifter; missing ones filled in.

const MIN_SCORE = 0.2;
const TORSO = ['left_hip', 'right_hip', 'left_shoulder', 'right_shoulder'];
const DEFAULT_TORSO = 100; // pixels
// A standing person; the torso is the unit.
const STANDING = {
  root: [0, 0], spine: [0, -0.5], thorax: [0, -1], neck_base: [0, -1.25], head: [0, -1.45],
  left_hip: [0.2, 0], left_knee: [0.22, 0.85], left_foot: [0.22, 1.65],
  right_hip: [-0.2, 0], right_knee: [-0.22, 0.85], right_foot: [-0.22, 1.65],
  left_shoulder: [0.35, -0.97], left_elbow: [0.42, -0.4], left_wrist: [0.45, 0.1],
  right_shoulder: [-0.35, -0.97], right_elbow: [-0.42, -0.4], right_wrist: [-0.45, 0.1],
};

// Weighted sums of keypoints: [[index, x weight, y weight], ...] of each joint. Joints of
// uncertain keypoints are null.
export function convert(recipes, keypoints, scores) {
  return recipes.map((recipe) => {
    const score = Math.min(...recipe.map(([index]) => scores[index]));
    if (!recipe.length || !(score >= MIN_SCORE)) return { at: null, score: 0 };
    const at = [0, 1].map((axis) => recipe.reduce((sum, part) => sum + part[1 + axis] * keypoints[part[0]][axis], 0));
    return { at, score };
  });
}

// Interpolate missing joints [frame][joint] (null or [x, y]) in time, relative to the
// torso; joints that never appear are those of a standing person. Null without any joint.
export function fillJoints(frames, names) {
  const standing = names.map((name) => STANDING[name]);
  const known = names.map((_, joint) => frames.some((frame) => frame[joint]));
  if (!known.includes(true)) return null;
  const columns = names.map((_, joint) => known[joint] && interpolate(frames.map((frame) => frame[joint])));
  const filled = frames.map((_, time) => {
    const place = fit(standing, names.map((__, joint) => known[joint] && columns[joint][time]));
    return names.map((__, joint) => (known[joint] ? columns[joint][time] : place(standing[joint])));
  });
  const torso = filled.map((frame) => mean(TORSO.map((name) => frame[names.indexOf(name)])));
  names.forEach((_, joint) => {
    if (!known[joint]) return;
    const relative = frames.map((frame, time) => frame[joint] && minus(frame[joint], torso[time]));
    interpolate(relative).forEach((at, time) => { filled[time][joint] = frames[time][joint] ?? minus(at, torso[time], -1); });
  });
  return filled;
}

const minus = (a, b, sign = 1) => a.map((value, axis) => value - sign * b[axis]);
const mean = (points) => points[0].map((_, axis) => points.reduce((sum, at) => sum + at[axis], 0) / points.length);

function interpolate(points) {
  const seen = points.flatMap((at, time) => (at ? [time] : []));
  let next = 0;
  return points.map((at, time) => {
    if (at) return at;
    while (next < seen.length && seen[next] < time) next += 1;
    if (next === 0) return points[seen[0]];
    if (next === seen.length) return points[seen.at(-1)];
    const [before, after] = [seen[next - 1], seen[next]];
    return mix(points[before], points[after], (time - before) / (after - before));
  });
}

const mix = (a, b, share) => a.map((value, axis) => value + share * (b[axis] - value));

// The translation and scale of a standing person that fit known joints.
function fit(standing, joints) {
  const pairs = joints.flatMap((at, joint) => (at ? [[at, standing[joint]]] : []));
  const [center, origin] = [0, 1].map((side) => mean(pairs.map((pair) => pair[side])));
  const spread = (side, middle) => Math.hypot(...pairs.flatMap((pair) => minus(pair[side], middle)));
  const scale = spread(0, center) > 1 ? spread(0, center) / spread(1, origin) : DEFAULT_TORSO;
  return (at) => at.map((value, axis) => center[axis] + scale * (value - origin[axis]));
}

// Observations [{ time, points }] at times, linear between and constant outside.
export function resample(observations, times) {
  let next = 0;
  return times.map((time) => {
    while (next < observations.length && observations[next].time < time) next += 1;
    const [before, after] = [observations[Math.max(next - 1, 0)], observations[Math.min(next, observations.length - 1)]];
    if (before === after || after.time === before.time) return after.points;
    const share = Math.min(Math.max((time - before.time) / (after.time - before.time), 0), 1);
    return before.points.map((at, joint) => mix(at, after.points[joint], share));
  });
}
