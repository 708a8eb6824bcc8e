// People of a video by track ID: searched around their last keypoints, detected at times.
import { detect, estimatePoses } from './people.js';

// As in mmhot: margin of boxes around keypoints, share of the
// highest score of keypoints that count, least mean confidence, overlap of boxes of one
// person, and overlap of the box below which a person is estimated again.
const [PADDING, ENCLOSED, MIN_CONFIDENCE, SAME_PERSON, MIN_OVERLAP] = [0.15, 0.4, 0.2, 0.3, 0.6];
// Two tracks of one person.
const DUPLICATE = 0.7;
const DETECTION_INTERVAL = 12;
// Seconds for which a lost person keeps its ID.
const MEMORY = 1;

export class Tracker {
  constructor(models, maxPeople) {
    Object.assign(this, { models, maxPeople, tracks: [], count: 0, frame: 0 });
    this.seconds = { detector: 0, pose2d: 0 };
  }

  // Keypoints of the people in the next frame: [{ id, keypoints, scores }].
  async update(image, time) {
    const due = this.frame % DETECTION_INTERVAL === 0;
    this.frame += 1;
    let tracked = this.tracks.filter((track) => track.seen);
    if (due || !tracked.length) await this.#timed('detector', () => this.#detect(image, time));
    tracked = this.tracks.filter((track) => track.seen);
    await this.#timed('pose2d', () => this.#estimate(image, tracked, time));
    dropDuplicates(tracked);
    this.tracks = this.tracks.filter((track) => time - track.time <= MEMORY);
    return tracked.filter((track) => track.seen);
  }

  async #timed(name, work) {
    const start = performance.now();
    await work();
    this.seconds[name] = (performance.now() - start) / 1000;
  }

  async #detect(image, time) {
    for (const box of await detect(this.models.detector, image)) {
      const overlaps = this.tracks.map((track) => overlap(track.box, box));
      const best = overlaps.indexOf(Math.max(...overlaps));
      const known = overlaps[best] > SAME_PERSON ? this.tracks[best] : null;
      if (known && !known.seen) Object.assign(known, { box, seen: true });
      if (known || this.tracks.filter((track) => track.seen).length >= this.maxPeople) continue;
      this.count += 1;
      this.tracks.push({ id: this.count, box, seen: true, time });
    }
  }

  async #estimate(image, tracks, time) {
    await this.#search(image, tracks, time);
    const moved = tracks.filter((track) => track.seen && overlap(track.searched, track.box) < MIN_OVERLAP);
    await this.#search(image, moved, time);
  }

  async #search(image, tracks, time) {
    const poses = await estimatePoses(this.models.pose2d, image, tracks.map((track) => track.box));
    poses.forEach((pose, row) => {
      const track = tracks[row];
      const mean = pose.scores.reduce((a, b) => a + b) / pose.scores.length;
      track.seen = mean >= MIN_CONFIDENCE;
      track.searched = track.box;
      if (track.seen) Object.assign(track, pose, { mean, time, box: boxAround(pose, image) });
    });
  }
}

function dropDuplicates(tracks) {
  const order = tracks.filter((track) => track.seen).sort((a, b) => a.id - b.id);
  order.forEach((track, place) => {
    if (order.slice(0, place).some((other) => other.seen && overlap(track.box, other.box) > DUPLICATE)) track.seen = false;
  });
}

function boxAround({ keypoints, scores }, { width, height }) {
  const least = ENCLOSED * Math.max(...scores);
  const inside = keypoints.filter((_, joint) => scores[joint] >= least);
  const [low, high] = [Math.min, Math.max].map((pick) => [0, 1].map((axis) => pick(...inside.map((at) => at[axis]))));
  const margin = PADDING * Math.max(high[0] - low[0], high[1] - low[1]);
  const limits = [width, height];
  return [
    ...low.map((at, axis) => Math.min(Math.max(at - margin, 0), limits[axis])),
    ...high.map((at, axis) => Math.min(Math.max(at + margin, 0), limits[axis])),
  ];
}

function overlap(a, b) {
  const area = (box) => Math.max(box[2] - box[0], 1) * Math.max(box[3] - box[1], 1);
  const both = [0, 1].map((axis) => Math.max(Math.min(a[axis + 2], b[axis + 2]) - Math.max(a[axis], b[axis]), 0));
  const shared = both[0] * both[1];
  return shared / (area(a) + area(b) - shared);
}
