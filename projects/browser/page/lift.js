// 3D poses of tracked people, a fixed look-ahead after their keypoints; the windows and
// targets are those of `mmhot stream`.
import { CODECS } from './codecs.js';
import { convert, fillJoints, resample } from './joints.js';
import { assumedFocal, Placement } from './placement.js';

// Seconds after which a person's poses start anew, as in mmhot.
const MAX_GAP = 1;

export class LiveLifter {
  // lookahead: seconds of later frames that a pose waits for, at most half a window.
  constructor(model, { recipes, usualFocals }, lookahead) {
    const { num_frames: frames, num_targets: targets, causal, fps: rate } = model.meta.lifting;
    const first = causal ? frames - targets : Math.floor((frames - targets) / 2);
    const middle = causal ? frames - 1 : first + Math.floor(targets / 2);
    this.lookahead = Math.min(lookahead, (frames - 1 - middle) / rate);
    const late = frames - 1 - Math.round(this.lookahead * rate);
    const target = targets < frames ? middle : Math.max(middle, late);
    this.offsets = Array.from({ length: frames }, (_, frame) => (frame - target) / rate);
    Object.assign(this, { model, recipes, usualFocals, target: target - first, pending: [], histories: new Map() });
    this.seconds = 0;
  }

  // Add the people of a frame; returns the poses of frames that are due.
  async update(time, people, size) {
    for (const { id, keypoints, scores } of people) {
      const joints = convert(this.recipes, keypoints, scores);
      if (!this.histories.has(id)) this.histories.set(id, { seen: [], placement: new Placement() });
      const history = this.histories.get(id);
      if (history.seen.length && time - history.seen.at(-1).time > MAX_GAP) {
        Object.assign(history, { seen: [], placement: new Placement() });
      }
      history.seen.push({ time, joints });
    }
    this.pending.push({ time, size });
    const due = [];
    while (this.pending.length && this.pending[0].time <= time - this.lookahead + 1e-3) due.push(this.pending.shift());
    return this.#liftAll(due);
  }

  // The poses of all frames that wait, at the end of a video.
  flush() {
    return this.#liftAll(this.pending.splice(0));
  }

  async #liftAll(frames) {
    const lifted = [];
    for (const frame of frames) lifted.push(await this.#lift(frame));
    return lifted;
  }

  async #lift({ time, size }) {
    const start = performance.now();
    const camera = { ...size, focal: assumedFocal(size, this.usualFocals) };
    const windows = [...this.histories].flatMap(([id, history]) => this.#window(id, history, time));
    const poses = windows.length ? await this.#predict(windows.map(({ points }) => points), camera) : [];
    const people = windows.map(({ id, history, now, scores }, row) => ({
      id,
      keypoints: now,
      scores,
      pose: poses[row],
      root: history.placement.add(time, poses[row], now, scores, camera),
    }));
    this.seconds = (performance.now() - start) / 1000;
    return { time, people };
  }

  #window(id, history, time) {
    const oldest = time + Math.min(this.offsets[0], -MAX_GAP);
    while (history.seen.length && history.seen[0].time < oldest) history.seen.shift();
    const { seen } = history;
    if (!seen.length || seen[0].time > time || seen.at(-1).time < time) {
      if (!seen.length) this.histories.delete(id);
      return [];
    }
    const filled = fillJoints(seen.map(({ joints }) => joints.map(({ at }) => at)), this.model.meta.joints);
    if (!filled) return [];
    const observations = seen.map((own, row) => ({
      time: own.time,
      points: filled[row].map((at, joint) => [...at, own.joints[joint].score]),
    }));
    const points = resample(observations, this.offsets.map((offset) => time + offset));
    const exact = seen.find((own) => own.time === time);
    const [now] = resample(observations, [time]);
    const scores = now.map((_, joint) => exact?.joints[joint].score ?? 0);
    return [{ id, history, points, now: now.map((at) => at.slice(0, 2)), scores }];
  }

  // Poses in camera axes relative to the root, averaged with those of mirrored windows.
  async #predict(windows, camera) {
    const { codec, flip_indices: flip, input, joints } = this.model.meta;
    const encoded = windows.map((window) => CODECS[codec.type](window, camera, codec));
    const inputs = encoded.flatMap((own) => [own.input, own.input.map((frame) => mirror(frame, flip))]);
    const output = (await this.model.run(new Float32Array(inputs.flat(3)), [inputs.length, ...input.shape.slice(1)])).poses;
    const pose = (row) => {
      const start = (row * output.dims[1] + this.target) * joints.length * 3;
      return joints.map((_, joint) => Array.from(output.data.subarray(start + 3 * joint, start + 3 * joint + 3)));
    };
    return encoded.map(({ decode }, row) => {
      const mirrored = mirror(pose(2 * row + 1), flip);
      const both = pose(2 * row).map((at, joint) => at.map((value, axis) => (value + mirrored[joint][axis]) / 2));
      const [decoded] = decode([both]);
      decoded[0] = [0, 0, 0];
      return decoded;
    });
  }
}

const mirror = (points, flip) => flip.map((joint) => [-points[joint][0], ...points[joint].slice(1)]);
