// Results as the JSON lines of `mmhot stream` (docs/streaming.md).
import { assumedFocal } from './placement.js';

// The oldest poses of longer runs are dropped.
const MAX_FRAMES = 50_000;
const round = (values, digits) => values.map((value) => Number(value.toFixed(digits)));

export class PoseLines {
  constructor({ kind, source, lifter, meta }, { width, height }, page) {
    const focal = assumedFocal({ width, height }, page.usualFocals);
    this.name = kind === 'file' ? source.name.replace(/\.[^.]*$/, '') : 'camera';
    this.header = {
      type: 'header', mmhot: page.version, stream: this.name, started: new Date().toISOString(), width, height,
      lookahead_ms: Math.round(1000 * lifter.lookahead), axes: 'camera', unit: 'm', model: meta.lifter.name,
      pose2d: meta.pose2d.name, joint_names: meta.lifter.joints, parents: meta.lifter.parents,
      focal_length: focal, focal_assumed: true, intrinsics: [], smooth_3d: 'none',
    };
    this.frames = [];
    this.count = 0;
  }

  add({ time, people }) {
    this.frames.push({
      type: 'frame',
      frame_id: this.count,
      time: Number(time.toFixed(4)),
      instances: people.map(({ id, pose, root, keypoints, scores }) => ({
        track_id: id,
        keypoints_3d: pose.map((at) => round(at, 4)),
        root_3d: round(root, 4),
        keypoints_2d: keypoints.map((at) => round(at, 2)),
        scores: round(scores, 3),
      })),
    });
    this.count += 1;
    if (this.frames.length > MAX_FRAMES) this.frames.shift();
  }

  save() {
    const text = [this.header, ...this.frames].map((line) => `${JSON.stringify(line)}\n`).join('');
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([text], { type: 'application/jsonl' }));
    link.download = `${this.name}.jsonl`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}
