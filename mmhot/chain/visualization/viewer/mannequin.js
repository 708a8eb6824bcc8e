// The skinned mannequin of a person, as in .glb files.
import {
  Bone, BufferAttribute, BufferGeometry, DoubleSide, MeshLambertMaterial, Skeleton, SkinnedMesh, Vector3,
} from 'three';

const MILLIMETERS = 1000;
const FADED = 0.8; // share of the background's color in joints that fade entirely
const MIN_SHOWN = 0.8; // place on a bone, from its hidden end (0), from which it is drawn

export function decode(text, Type) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Type(bytes.buffer);
}

// Make a mannequin: shared has the data of all people, body the proportions and motion of one.
export function makeMannequin(shared, body, origin) {
  const vertices = Float32Array.from(decode(body.vertices, Int16Array), (value) => value / MILLIMETERS);
  const count = vertices.length / 3;
  const pairs = decode(shared.joints, Uint8Array);
  const shares = decode(shared.weights, Uint8Array);
  const [joints, weights] = [new Uint16Array(4 * count), new Float32Array(4 * count)];
  const sides = new Float32Array(3 * count); // weights of the middle, left and right color
  const influences = pairs.length / count;
  pairs.forEach((joint, at) => {
    const [vertex, k] = [Math.floor(at / influences), at % influences];
    joints[4 * vertex + k] = joint;
    weights[4 * vertex + k] = shares[at] / 255;
    sides[3 * vertex + shared.sides[joint]] += shares[at] / 255;
  });
  // The borders of colors are sharper than the weights of the skin.
  for (let at = 0; at < sides.length; at += 3) {
    const own = sides.subarray(at, at + 3).map((share) => share ** 4);
    sides.set(own.map((share) => share / (own[0] + own[1] + own[2])), at);
  }
  const geometry = new BufferGeometry();
  geometry.setIndex(new BufferAttribute(decode(shared.faces, Uint16Array), 1));
  geometry.setAttribute('position', new BufferAttribute(vertices, 3));
  geometry.setAttribute('color', new BufferAttribute(new Float32Array(4 * count), 4));
  geometry.setAttribute('skinIndex', new BufferAttribute(joints, 4));
  geometry.setAttribute('skinWeight', new BufferAttribute(weights, 4));
  geometry.computeVertexNormals();

  const offsets = decode(body.offsets, Float32Array);
  const bones = shared.parents.map((parent, joint) => {
    const bone = new Bone();
    bone.position.fromArray(offsets, 3 * joint);
    return bone;
  });
  shared.parents.forEach((parent, joint) => { if (parent >= 0) bones[parent].add(bones[joint]); });
  const mesh = new SkinnedMesh(geometry, new MeshLambertMaterial({ vertexColors: true, alphaTest: MIN_SHOWN, side: DoubleSide }));
  mesh.frustumCulled = false;
  mesh.add(bones[0]);
  mesh.updateMatrixWorld(true);
  mesh.bind(new Skeleton(bones));

  const root = decode(body.root, Int16Array);
  const turns = decode(body.turns, Int16Array);
  const axis = new Vector3();

  function pose(row) {
    bones[0].position.fromArray(root, 3 * row).divideScalar(MILLIMETERS);
    bones[0].position.add(axis.set(origin[0], origin[2], -origin[1]));
    body.turning.forEach((joint, at) => {
      axis.fromArray(turns, 3 * (row * body.turning.length + at)).divideScalar(shared.turnSteps);
      const angle = axis.length();
      bones[joint].quaternion.setFromAxisAngle(axis.normalize(), angle);
    });
  }

  const color = geometry.getAttribute('color');
  const [ends, along] = [decode(shared.ends, Uint8Array), decode(shared.along, Uint8Array)];
  const [doubts, shown] = [1, 2].map(() => new Float32Array(Math.max(...ends) + 1));
  const shades = new Float32Array(3 * count); // colors of the vertices
  let background;

  // Set the colors of the sides, then the background's; nothing is faded yet.
  function paint(colors) {
    // Colors are blended as square roots, so that mixtures are about as bright as they look.
    const roots = colors.map((each) => each.toArray().map(Math.sqrt));
    background = roots.at(-1);
    shades.forEach((_, at) => {
      const vertex = 3 * Math.floor(at / 3);
      shades[at] = [0, 1, 2].reduce((sum, side) => sum + sides[vertex + side] * roots[side][at % 3], 0);
    });
    doubts.fill(0);
    shown.fill(1);
    blend();
  }

  // Fade into the background by the doubt(joint) of the clip's joints, from 0 to 1; cut off hidden(joint).
  function fade(doubt, hidden) {
    const before = [...doubts, ...shown];
    doubts.forEach((_, joint) => { doubts[joint] = doubt(joint); });
    shown.forEach((_, joint) => { shown[joint] = hidden(joint) ? 0 : 1; });
    if ([...doubts, ...shown].some((value, at) => value !== before[at])) blend();
  }

  function blend() {
    for (let vertex = 0; vertex < count; vertex += 1) {
      const share = along[vertex] / 255;
      const [doubt, alpha] = [doubts, shown].map((each) => each[ends[2 * vertex]] * (1 - share) + each[ends[2 * vertex + 1]] * share);
      color.array[4 * vertex + 3] = alpha;
      for (let k = 0; k < 3; k += 1) {
        const shade = shades[3 * vertex + k];
        color.array[4 * vertex + k] = (shade + FADED * doubt * (background[k] - shade)) ** 2;
      }
    }
    color.needsUpdate = true;
  }

  function bone(joint) {
    mesh.updateMatrixWorld(true);
    return bones[joint].getWorldPosition(new Vector3()).toArray();
  }

  return { mesh, pose, paint, fade, bone };
}
