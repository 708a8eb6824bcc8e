// Drawings of the page: keypoints in the image, skeletons in 3D.
import { bonesOf, Skeleton, Stage, Vector3 } from './scene.js';

// They differ for people with any deficiency of color vision.
const COLORS = { middle: '#8e8e8e', left: '#2b8ce6', right: '#db6a18' };
const SIDES = Object.keys(COLORS);
const ANKLE_HEIGHT = 0.08;
const EXTENT = { low: new Vector3(-4, 0, -9), high: new Vector3(4, 0, 2) };
const MIN_SCORE = 0.2;

const sidesOf = (joints) => joints.map((name) => Math.max(SIDES.indexOf(name.split('_')[0]), 0));

export function drawOverlay(canvas, image, people, meta) {
  Object.assign(canvas, { width: image.width, height: image.height });
  const brush = canvas.getContext('2d');
  brush.drawImage(image, 0, 0);
  brush.lineWidth = Math.max(image.width, image.height) / 250;
  brush.lineCap = 'round';
  const sides = sidesOf(meta.joints);
  for (const { keypoints, scores } of people) {
    for (const [parent, child] of bonesOf(meta.parents)) {
      if (Math.min(scores[parent], scores[child]) < MIN_SCORE) continue;
      brush.strokeStyle = COLORS[SIDES[sides[child]]];
      brush.beginPath();
      brush.moveTo(...keypoints[parent]);
      brush.lineTo(...keypoints[child]);
      brush.stroke();
    }
  }
}

export class View {
  constructor(canvas) {
    this.stage = new Stage(canvas);
    this.stage.addFloor(EXTENT);
    this.skeletons = new Map();
    this.floor = null;
    this.stage.camera.position.set(2, 1.6, 1);
    new ResizeObserver(() => this.stage.resize(canvas.clientWidth, canvas.clientHeight)).observe(canvas);
    const dark = window.matchMedia('(prefers-color-scheme: dark)').matches;
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    this.stage.paint(document.documentElement.dataset.theme);
    const tick = () => { this.stage.render(); requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
  }

  // Show people in camera axes; the floor is below their lowest joint so far.
  show(people, { joints, parents }) {
    for (const [id, skeleton] of this.skeletons) if (!people.some((person) => person.id === id)) skeleton.pose(null);
    for (const { id, pose, root } of people) {
      if (!this.skeletons.has(id)) {
        this.skeletons.set(id, new Skeleton(this.stage.scene, parents));
        this.skeletons.get(id).paint(Object.values(COLORS), sidesOf(joints));
      }
      const at = (joint, target) => target.set(
        pose[joint][0] + root[0], -(pose[joint][1] + root[1]), -(pose[joint][2] + root[2]),
      );
      this.skeletons.get(id).pose(at);
      const lowest = Math.min(...joints.map((_, joint) => at(joint, new Vector3()).y)) - ANKLE_HEIGHT;
      this.floor = Math.min(this.floor ?? lowest, lowest);
    }
    if (people.length) this.#follow(people);
  }

  clear() {
    this.show([], {});
    this.floor = null;
  }

  // Keep the distance to the people, and turn with nothing but the mouse.
  #follow(people) {
    const { camera, controls, floor } = this.stage;
    const [x, z] = [0, 2].map((axis) => people.reduce((sum, { root }) => sum + root[axis], 0) / people.length);
    const goal = new Vector3(x, this.floor + 0.9, -z);
    const far = goal.distanceTo(controls.target) > 2;
    const move = goal.sub(controls.target).multiplyScalar(far ? 1 : 0.1);
    controls.target.add(move);
    if (far) camera.position.copy(controls.target).add(new Vector3(0.6, 0.7, 4.2));
    else camera.position.add(move);
    floor.position.set(Math.round(controls.target.x), this.floor, Math.round(controls.target.z) + 4);
  }
}
