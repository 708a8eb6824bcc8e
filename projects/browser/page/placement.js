// Root positions from poses and their 2D keypoints, over the last half second.

const SPAN = 0.5; // seconds
const ROUNDS = 4;
const RAY_ERROR = 0.025; // meters, of joints from the rays of their keypoints
const SPEED = 2; // meters per second
const MIN_WEIGHT = 0.05;

// Focal length of an unknown lens, pixels; `usual` is mmhot's UsualFocals.
export function assumedFocal({ width, height }, usual) {
  const longer = Math.max(width, height);
  if (longer <= usual.aspect * Math.min(width, height)) return usual.square * longer;
  return (width > height ? usual.landscape : usual.portrait) * longer;
}

export class Placement {
  constructor() {
    this.recent = [];
  }

  // Root position in camera axes, meters, of the pose of a time: the end of a line that
  // fits the last poses, by robust least squares.
  add(time, pose, keypoints, scores, camera) {
    const rays = keypoints.map(([x, y]) => [(x - camera.width / 2) / camera.focal, (y - camera.height / 2) / camera.focal]);
    this.recent.push({ time, pose, rays, scores });
    while (time - this.recent[0].time > SPAN) this.recent.shift();
    let line = [0, 0, 0, 0, 0, 0];
    for (let round = 0; round < ROUNDS; round += 1) line = this.#solve(time, round ? line : null);
    return line.slice(0, 3);
  }

  #solve(now, before) {
    const normal = Array.from({ length: 6 }, (_, row) => Array.from({ length: 7 }, (__, column) => (
      row === column && row > 2 ? 1 / SPEED ** 2 : 0)));
    for (const { time, pose, rays, scores } of this.recent) {
      const since = time - now;
      pose.forEach((at, joint) => {
        const equations = [0, 1].map((axis) => {
          const row = [axis === 0 ? 1 : 0, axis === 1 ? 1 : 0, -rays[joint][axis]];
          return { row: [...row, ...row.map((value) => value * since)], goal: rays[joint][axis] * at[2] - at[axis] };
        });
        const errors = before ? equations.map(({ row, goal }) => dot(row, before) - goal) : [0];
        const weight = Math.max(scores[joint], MIN_WEIGHT) / RAY_ERROR ** 2 / (1 + (Math.hypot(...errors) / (3 * RAY_ERROR)) ** 2);
        for (const { row, goal } of equations) {
          row.forEach((value, i) => {
            if (value) row.forEach((other, j) => { normal[i][j] += weight * value * other; });
            normal[i][6] += weight * value * goal;
          });
        }
      });
    }
    return eliminate(normal);
  }
}

const dot = (a, b) => a.reduce((sum, value, index) => sum + value * b[index], 0);

// Solve a positive definite system [matrix | right side].
function eliminate(rows) {
  rows.forEach((pivot, step) => {
    for (let row = step + 1; row < rows.length; row += 1) {
      const factor = rows[row][step] / pivot[step];
      for (let column = step; column < pivot.length; column += 1) rows[row][column] -= factor * pivot[column];
    }
  });
  const solution = rows.map(() => 0);
  for (let row = rows.length - 1; row >= 0; row -= 1) {
    const known = solution.reduce((sum, value, column) => sum + (column > row ? rows[row][column] * value : 0), 0);
    solution[row] = (rows[row].at(-1) - known) / rows[row][row];
  }
  return solution;
}
