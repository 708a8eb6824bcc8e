// A lit scene with a floor, skeletons of balls and rods, and mannequins. `make viewer` bundles it
// with three.js into the global mmhotScene.
import {
  BufferGeometry, Color, CylinderGeometry, DirectionalLight, Float32BufferAttribute,
  HemisphereLight, InstancedMesh, LineBasicMaterial, LineSegments, Matrix4,
  MeshLambertMaterial, PerspectiveCamera, Quaternion, Scene, SphereGeometry, Vector3,
  WebGLRenderer,
} from 'three';
import { OrbitControls } from 'three/addons/controls/OrbitControls.js';

export { Color, Vector3 };
export { DASHES, drawCurves, fit, STYLES } from './curves.js';
export { decode, makeMannequin } from './mannequin.js';

const BONE_RADIUS = 0.022; // meters
const UP = new Vector3(0, 1, 0);
const GRID = { light: '#d3d8df', dark: '#2c333e' };

export const bonesOf = (parents) => parents.flatMap((parent, child) => (parent < 0 ? [] : [[parent, child]]));

// Draw bones on a canvas: at(joint) is the place of a joint, style(child) sets the color of a bone.
export function drawBones(brush, bones, at, style) {
  brush.lineCap = 'round';
  for (const [parent, child] of bones) {
    style(child);
    brush.beginPath();
    brush.moveTo(...at(parent));
    brush.lineTo(...at(child));
    brush.stroke();
  }
}

export class Stage {
  constructor(canvas) {
    this.renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.scene = new Scene();
    this.camera = new PerspectiveCamera(40, 1, 0.05, 500);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enableDamping = true;
    this.controls.maxPolarAngle = Math.PI * 0.52;
    this.scene.add(new HemisphereLight('#ffffff', '#8890a0', 2.2));
    const sun = new DirectionalLight('#ffffff', 1.6);
    sun.position.set(2, 5, 3);
    this.scene.add(sun);
  }

  addFloor(extent) {
    this.floor = new LineSegments(grid(extent), new LineBasicMaterial());
    this.scene.add(this.floor);
  }

  paint(theme) {
    this.floor.material.color.set(GRID[theme]);
  }

  resize(width, height) {
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    this.camera.updateProjectionMatrix();
  }

  render() {
    this.controls.update();
    this.renderer.render(this.scene, this.camera);
  }
}

function grid({ low, high }) {
  const [left, right] = [Math.floor(low.x - 2), Math.ceil(high.x + 2)];
  const [far, near] = [Math.floor(low.z - 2), Math.ceil(high.z + 2)];
  const step = Math.max(1, Math.ceil(Math.max(right - left, near - far) / 60)) / 2;
  const lines = [];
  // Lines are short, as some renderers lose those that begin behind the camera.
  for (let x = left; x < right + 1e-6; x += step) {
    for (let z = far; z < near + 1e-6; z += step) lines.push(x, 0, z, x, 0, Math.min(z + step, near), x, 0, z, Math.min(x + step, right), 0, z);
  }
  return new BufferGeometry().setAttribute('position', new Float32BufferAttribute(lines, 3));
}

const ball = new SphereGeometry(1, 14, 10);
const rod = new CylinderGeometry(1, 1, 1, 12, 1, true);
const material = new MeshLambertMaterial();
const scratch = { a: new Vector3(), b: new Vector3(), turn: new Quaternion(), size: new Vector3(), matrix: new Matrix4() };

export class Skeleton {
  constructor(scene, parents) {
    this.bones = bonesOf(parents);
    this.balls = new InstancedMesh(ball, material, parents.length);
    this.rods = new InstancedMesh(rod, material, this.bones.length);
    for (const mesh of [this.balls, this.rods]) {
      mesh.frustumCulled = false;
      scene.add(mesh);
    }
  }

  // Set the colors, by side of the body; sides are by joint.
  paint(colors, sides) {
    const shades = colors.map((color) => new Color(color));
    sides.forEach((side, joint) => this.balls.setColorAt(joint, shades[side]));
    this.bones.forEach(([, child], bone) => this.rods.setColorAt(bone, shades[sides[child]]));
    this.balls.instanceColor.needsUpdate = this.rods.instanceColor.needsUpdate = true;
  }

  // Move the joints to jointAt(joint, target), in meters, y up, or hide them without it.
  // Bones are thinner for a doubt(joint) of their outer joint, from 0 to 1; hidden(joint) has none.
  pose(jointAt, doubt, hidden) {
    this.balls.visible = this.rods.visible = Boolean(jointAt);
    if (!jointAt) return;
    const { a, b, turn, size, matrix } = scratch;
    for (let joint = 0; joint < this.balls.count; joint += 1) {
      jointAt(joint, a);
      matrix.compose(a, turn.identity(), size.setScalar(hidden(joint) ? 0 : (1.35 - 0.75 * doubt(joint)) * BONE_RADIUS));
      this.balls.setMatrixAt(joint, matrix);
    }
    this.bones.forEach(([parent, child], bone) => {
      jointAt(parent, a);
      jointAt(child, b);
      const length = Math.max(a.distanceTo(b), 1e-6);
      const radius = hidden(parent) || hidden(child) ? 0 : BONE_RADIUS * (1 - 0.65 * doubt(child));
      turn.setFromUnitVectors(UP, size.subVectors(b, a).divideScalar(length));
      matrix.compose(a.add(b).multiplyScalar(0.5), turn, size.set(radius, length, radius));
      this.rods.setMatrixAt(bone, matrix);
    });
    this.balls.instanceMatrix.needsUpdate = this.rods.instanceMatrix.needsUpdate = true;
  }
}
