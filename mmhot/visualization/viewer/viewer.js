// Plays a lifted clip.
const { bonesOf, Color, decode, drawBones, makeMannequin, Skeleton, Stage, Vector3 } = mmhotScene;
const MILLIMETERS = 1000;
const MARGIN = 0.15; // meters around joints
const DIRECTIONS = { front: [0, 0.18, 1], side: [1, 0.18, 0], top: [0, 1, 0.001] };

const clip = JSON.parse(document.getElementById('clip').textContent);
const [LEFT, RIGHT] = [1, 2]; // numbers in clip.sides and clip.colors
const element = (id) => document.getElementById(id);

// People: positions in meters, y up, by row; which row a frame has.
const people = clip.people.map((person) => {
  const frames = decode(person.frames, Int32Array);
  return {
    track: person.track,
    rows: new Map(Array.from(frames, (frame, row) => [frame, row])),
    positions: decode(person.positions, Int16Array),
    origin: person.origin,
    pixels: decode(person.pixels, Int16Array),
    detected: decode(person.detected, Uint8Array),
    doubts: decode(person.doubts, Uint8Array), // how much joints fade, of 255
    visible: true,
    body: makeMannequin(clip.mannequin, person.body, person.origin),
  };
});
const joints = clip.joints.length;
const bones = bonesOf(clip.parents);

function jointAt(person, row, joint, target = new Vector3()) {
  const at = 3 * (row * joints + joint);
  const [x, y, z] = [0, 1, 2].map((axis) => person.positions[at + axis] / MILLIMETERS + person.origin[axis]);
  return target.set(x, z, -y);
}

const stage = new Stage(element('scene'));
const { camera, controls } = stage;
for (const person of people) {
  person.skeleton = new Skeleton(stage.scene, clip.parents);
  stage.scene.add(person.body.mesh);
}

const everywhere = extent();
stage.addFloor(everywhere);

function extent() {
  const low = new Vector3(Infinity, 0, Infinity);
  const high = new Vector3(-Infinity, 1, -Infinity);
  const joint = new Vector3();
  for (const person of people) {
    for (const row of person.rows.values()) {
      jointAt(person, row, 0, joint);
      low.min(joint);
      high.max(joint);
    }
  }
  return { low, high, center: low.clone().add(high).multiplyScalar(0.5).setY(0.9) };
}

const times = clip.times && decode(clip.times, Float32Array);
const state = { frame: clip.first, playing: false, speed: 1, follow: false, flat: true, body: true };
const last = clip.first + clip.count - 1;

// Seconds of the video. Frame numbers may have fractions, and times may be uneven.
function secondsAt(frame) {
  if (!times) return frame / clip.fps;
  const position = frame - clip.first;
  const index = Math.min(Math.floor(position), times.length - 1);
  return times[index] + (position - index) * duration(index);
}

function frameAfter(frame, seconds) {
  if (!times) return frame + seconds * clip.fps;
  const goal = secondsAt(frame) + seconds;
  let index = Math.floor(frame - clip.first);
  while (index + 1 < times.length && times[index + 1] <= goal) index += 1;
  return clip.first + index + (goal - times[index]) / duration(index);
}

function duration(index) {
  return index + 1 < times.length ? times[index + 1] - times[index] : 1 / clip.fps;
}

function show(frame) {
  state.frame = Math.min(Math.max(frame, clip.first), last);
  const whole = Math.round(state.frame);
  for (const person of people) pose(person, whole);
  drawFlat(whole);
  element('timeline').value = whole;
  element('clock').value = `${secondsAt(whole).toFixed(2)} s · frame ${whole}`;
}

function pose(person, frame) {
  const row = person.rows.get(frame);
  const shown = person.visible && row !== undefined;
  person.body.mesh.visible = shown && state.body;
  const doubt = (joint) => person.doubts[row * joints + joint] / 255;
  if (person.body.mesh.visible) {
    person.body.pose(row);
    person.body.fade(doubt);
  }
  person.skeleton.pose(shown && !state.body && ((joint, target) => jointAt(person, row, joint, target)), doubt);
}

function paint() {
  const background = getComputedStyle(document.documentElement).getPropertyValue('--page').trim();
  for (const person of people) {
    person.skeleton.paint(clip.colors, clip.sides);
    person.body.paint([...clip.colors, background].map((color) => new Color(color)));
  }
  stage.paint(document.documentElement.dataset.theme);
}

// Frames of the video, if the page has them: the one before a frame, decoded with the next.
const numbers = Object.keys(clip.images).map(Number);
const images = new Map();
const AHEAD = 8;

function imageAt(frame) {
  const index = numbers.findLastIndex((number) => number <= frame);
  if (index < 0) return null;
  numbers.slice(index, index + AHEAD).filter((number) => !images.has(number)).forEach((number) => {
    const image = new Image();
    image.onload = () => { if (numbers[index] === number) drawFlat(Math.round(state.frame)); };
    image.src = `data:image/jpeg;base64,${clip.images[number]}`;
    images.set(number, image);
  });
  const image = images.get(numbers[index]);
  return image.complete && image.naturalWidth ? image : null;
}

// The image with its 2D keypoints; joints that were filled in are pale.
function drawFlat(frame) {
  const canvas = element('ghost');
  canvas.hidden = canvas.style.display = state.flat ? '' : 'none';
  if (!state.flat) return;
  canvas.width = 640;
  canvas.height = Math.round((640 * clip.height) / clip.width);
  const brush = canvas.getContext('2d');
  const scale = 640 / clip.width / clip.pixelSteps;
  const image = imageAt(frame);
  if (image) brush.drawImage(image, 0, 0, canvas.width, canvas.height);
  brush.lineWidth = 3;
  for (const person of people) {
    const row = person.rows.get(frame);
    if (!person.visible || row === undefined) continue;
    const at = (joint) => [0, 1].map((axis) => person.pixels[2 * (row * joints + joint) + axis] * scale);
    drawBones(brush, bones, at, (child) => {
      brush.strokeStyle = clip.colors[clip.sides[child]];
      brush.globalAlpha = person.detected[row * joints + child] ? 1 : 0.35;
    });
  }
}

// The person that the camera follows: the first that is shown.
const followed = () => people.find((person) => person.visible) || people[0];

function rootAt(person, frame) {
  const row = person.rows.get(frame);
  return row === undefined ? null : jointAt(person, row, 0);
}

// Joints of all frames: of all people, or of the followed one relative to its root.
function points() {
  const found = [];
  for (const person of state.follow ? [followed()] : people) {
    const step = Math.ceil((person.rows.size * people.length) / 2000);
    for (const row of [...person.rows.values()].filter((each) => each % step === 0)) {
      const root = state.follow ? jointAt(person, row, 0) : new Vector3();
      for (let joint = 0; joint < joints; joint += 1) found.push(jointAt(person, row, joint).sub(root));
    }
  }
  return found;
}

// Parts of the window that no panel covers, in pixels.
function freeAreas() {
  const [header, footer, panel] = ['header', 'footer', '#ghost'].map((name) => document.querySelector(name).getBoundingClientRect());
  const whole = { left: 0, right: window.innerWidth, top: header.bottom, bottom: footer.top };
  if (!panel.width) return [whole];
  return [{ right: panel.left }, { top: panel.bottom }, { bottom: panel.top }].map((part) => ({ ...whole, ...part }));
}

// Show the points from a direction, as large as a free area of the window allows.
function view(name) {
  const toward = new Vector3(...DIRECTIONS[name]).normalize();
  const right = new Vector3(0, 1, 0).cross(toward).normalize();
  const axes = [right, toward.clone().cross(right), toward];
  const seen = points().map((point) => axes.map((axis) => point.dot(axis)));
  const [low, high] = [Math.min, Math.max].map((choose) => [0, 1, 2].map(
    (axis) => seen.reduce((best, place) => choose(best, place[axis]), seen[0][axis])));
  const middle = low.map((value, axis) => (value + high[axis]) / 2);
  const focal = window.innerHeight / 2 / Math.tan((camera.fov * Math.PI) / 360);
  const fits = freeAreas().map((area) => {
    const spans = [area.right - area.left, area.bottom - area.top].map((span) => Math.max(span, 1) / 2 / focal);
    const distance = Math.max(...seen.map((place) => place[2] - middle[2] + Math.max(
      ...spans.map((span, axis) => (Math.abs(place[axis] - middle[axis]) + MARGIN) / span))));
    return { area, distance };
  });
  const { area, distance } = fits.reduce((best, each) => (each.distance < best.distance ? each : best));
  const [width, height] = [window.innerWidth, window.innerHeight];
  camera.setViewOffset(width, height, (width - area.left - area.right) / 2, (height - area.top - area.bottom) / 2, width, height);
  state.view = name;
  state.offset = axes.reduce((sum, axis, number) => sum.addScaledVector(axis, middle[number]), new Vector3());
  controls.target.copy(state.offset);
  if (state.follow) controls.target.add(rootAt(followed(), Math.round(state.frame)) || everywhere.center);
  camera.position.copy(controls.target).addScaledVector(toward, distance);
  controls.update();
}

function resize() {
  stage.resize(window.innerWidth, window.innerHeight);
  if (state.view) view(state.view);
}

function setPlaying(playing) {
  state.playing = playing;
  if (playing && Math.round(state.frame) >= last) show(clip.first);
  element('play').textContent = playing ? '❚❚' : '▶';
  element('play').ariaLabel = playing ? 'Pause' : 'Play';
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  paint();
  show(state.frame);
}

function toggle(name, change) {
  const button = element(name);
  const pressed = button.ariaPressed !== 'true';
  button.ariaPressed = String(pressed);
  change(pressed);
}

const toggles = {
  follow: (pressed) => { state.follow = pressed; view(pressed ? 'front' : state.view || 'front'); },
  body: (pressed) => { state.body = pressed; show(state.frame); },
  flat: (pressed) => { state.flat = pressed; show(state.frame); },
  info: (pressed) => { element('facts').hidden = !pressed; },
};
const themes = () => setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');

people.forEach((person, index) => {
  const label = document.createElement('label');
  const box = document.createElement('input');
  box.type = 'checkbox';
  box.checked = true;
  box.addEventListener('change', () => { person.visible = box.checked; show(state.frame); });
  label.append(box, ` Person ${person.track}`);
  label.title = index < 9 ? `Shift+${index + 1}` : '';
  element('people').append(label);
  person.box = box;
});
element('people').hidden = people.length < 2;

for (const [name, side] of [['left', LEFT], ['right', RIGHT]]) {
  const label = document.createElement('span');
  label.textContent = name;
  label.style.setProperty('--side', clip.colors[side]);
  element('legend').append(label);
}

const facts = document.createElement('dl');
for (const [name, value] of Object.entries(clip.facts)) {
  const [term, description] = ['dt', 'dd'].map((tag) => document.createElement(tag));
  term.textContent = name;
  description.textContent = value;
  facts.append(term, description);
}
element('facts').append(facts);

element('play').addEventListener('click', () => setPlaying(!state.playing));
element('timeline').min = clip.first;
element('timeline').max = last;
element('timeline').addEventListener('input', (event) => { setPlaying(false); show(Number(event.target.value)); });
element('speed').addEventListener('change', (event) => { state.speed = Number(event.target.value); });
element('theme').addEventListener('click', themes);
for (const [name, change] of Object.entries(toggles)) element(name).addEventListener('click', () => toggle(name, change));
document.querySelectorAll('[data-view]').forEach((button) => button.addEventListener('click', () => view(button.dataset.view)));
window.addEventListener('resize', resize);

function step(frames) {
  setPlaying(false);
  show(Math.round(state.frame) + frames);
}

function changeSpeed(by) {
  const select = element('speed');
  select.selectedIndex = Math.min(Math.max(select.selectedIndex + by, 0), select.options.length - 1);
  state.speed = Number(select.value);
}

const keys = {
  ' ': () => setPlaying(!state.playing),
  ArrowRight: (shift) => step(shift ? 10 : 1),
  ArrowLeft: (shift) => step(shift ? -10 : -1),
  Home: () => step(-Infinity),
  End: () => step(Infinity),
  '+': () => changeSpeed(1),
  '-': () => changeSpeed(-1),
  f: () => view('front'),
  s: () => view('side'),
  t: () => view('top'),
  v: () => toggle('follow', toggles.follow),
  b: () => toggle('body', toggles.body),
  2: () => toggle('flat', toggles.flat),
  i: () => toggle('info', toggles.info),
  d: themes,
};
window.addEventListener('keydown', (event) => {
  const number = event.shiftKey && /^Digit[1-9]$/.test(event.code) ? Number(event.code[5]) : 0;
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === 'SELECT') return;
  if (number && people[number - 1]) people[number - 1].box.click();
  else if (keys[event.key]) keys[event.key](event.shiftKey);
  else return;
  event.preventDefault();
});

let before = null;
function tick(now) {
  if (state.playing && before !== null) {
    const next = frameAfter(state.frame, ((now - before) / 1000) * state.speed);
    show(next > last + 0.5 ? clip.first : next);
  }
  before = now;
  if (state.follow) {
    const goal = rootAt(followed(), Math.round(state.frame));
    if (goal) {
      const move = goal.add(state.offset).sub(controls.target).multiplyScalar(0.1);
      controls.target.add(move);
      camera.position.add(move);
    }
  }
  stage.render();
  requestAnimationFrame(tick);
}

resize();
setTheme(window.matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
view('front');
// a view that the user changed stays when the window changes
controls.addEventListener('start', () => { state.view = null; });
setPlaying(!window.matchMedia('(prefers-reduced-motion: reduce)').matches);
requestAnimationFrame(tick);

// For tests and scripts.
window.mmhot = {
  clip, state, show,
  bone: (person, joint) => people[person].body.bone(joint),
  pixel: (person, joint) => {
    const at = jointAt(people[person], people[person].rows.get(Math.round(state.frame)), joint).project(camera);
    return [((1 + at.x) / 2) * window.innerWidth, ((1 - at.y) / 2) * window.innerHeight];
  },
  joint: (person, joint) => jointAt(people[person], people[person].rows.get(Math.round(state.frame)), joint).toArray(),
};
