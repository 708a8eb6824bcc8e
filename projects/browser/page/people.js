// Person detector and top-down 2D poses, with inputs and outputs as meta.json says.
import { findPeak } from './codecs.js';
import { fillInput } from './images.js';

const MIN_SCORE = 0.3;
const GRAY = 114;
const STRIDE = 32;

// Boxes [x1, y1, x2, y2] of an image in pixels, the most certain first.
export async function detect(model, image) {
  const { meta } = model;
  const scale = meta.resize.longer_side / Math.max(image.width, image.height);
  const size = [image.width, image.height].map((side) => Math.max(Math.round(side * scale), 1));
  const [width, height] = size.map((side) => STRIDE * Math.ceil(side / STRIDE));
  const zoom = [size[0] / image.width, size[1] / image.height];
  const data = new Float32Array(3 * width * height);
  const placed = { width, height, zoom, shift: zoom.map((by) => 0.5 * by - 0.5), gray: GRAY, smooth: true };
  fillInput(image, placed, meta.input, data);
  const { dets, labels } = await model.run(data, [1, 3, height, width]);
  const boxes = [];
  labels.data.forEach((label, row) => {
    const [x1, y1, x2, y2, score] = dets.data.subarray(5 * row, 5 * row + 5);
    if (Number(label) !== 0 || score < MIN_SCORE) return;
    const limits = [image.width, image.height, image.width, image.height];
    const box = [x1, y1, x2, y2].map((at, side) => Math.min(Math.max(at / zoom[side % 2], 0), limits[side]));
    boxes.push({ box, score });
  });
  return boxes.sort((a, b) => b.score - a.score).map(({ box }) => box);
}

// Keypoints [[x, y], ...] and scores of the people in boxes of an image.
export async function estimatePoses(model, image, boxes) {
  if (!boxes.length) return [];
  const { input, crop, joints, codec } = model.meta;
  const [width, height] = crop.size;
  const data = new Float32Array(boxes.length * 3 * width * height);
  const crops = boxes.map((box, person) => {
    const extent = [Math.max(box[2] - box[0], 1), Math.max(box[3] - box[1], 1)];
    const zoom = Math.min(...crop.size.map((side, axis) => side / (extent[axis] * crop.padding)));
    const shift = crop.size.map((side, axis) => side / 2 - (zoom * (box[axis] + box[axis + 2])) / 2);
    fillInput(image, { width, height, zoom: [zoom, zoom], shift, gray: 0 }, input, data, person * 3 * width * height);
    return { zoom, shift };
  });
  const output = await model.run(data, [boxes.length, 3, height, width]);
  return crops.map(({ zoom, shift }, person) => {
    const poses = { keypoints: [], scores: [] };
    for (let joint = 0; joint < joints.length; joint += 1) {
      const row = person * joints.length + joint;
      const best = [output.simcc_x, output.simcc_y].map((vectors) => findPeak(vectors, row, codec.smoothing));
      const at = best.map(({ position, bins }, axis) => (position * crop.size[axis]) / bins);
      poses.keypoints.push(at.map((place, axis) => (place - shift[axis]) / zoom));
      const score = Math.min(...best.map(({ value }) => value), 1);
      poses.scores.push(calibrate(Math.max(score, 0), model.meta.score_curve));
    }
    return poses;
  });
}

// Piecewise linear curve [scores, confidences].
function calibrate(score, curve) {
  if (!curve) return score;
  const [from, to] = curve;
  const next = from.findIndex((value) => value >= score);
  if (next < 0) return to.at(-1);
  if (next === 0) return to[0];
  const share = (score - from[next - 1]) / (from[next] - from[next - 1]);
  return to[next - 1] + share * (to[next] - to[next - 1]);
}
