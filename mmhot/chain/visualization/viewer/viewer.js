// Player of a lifted clip.
const {
  bonesOf, Color, DASHES, decode, drawBones, drawCurves, fit, makeMannequin, Skeleton, Stage, STYLES, Vector3,
} = mmhotScene;
const MILLIMETERS = 1000;
const MARGIN = 0.15; // meters of the view around joints
const REACH = 18; // pixels from the pointer to a joint that is pointed at
const THUMB = 8; // pixels; half the width of the time line's handle
const DIRECTIONS = { front: [0, 0.18, 1], side: [1, 0.18, 0], top: [0, 1, 0.001] };

const clip = JSON.parse(document.getElementById('clip').textContent);
const [LEFT, RIGHT] = [1, 2]; // indices of clip.sides and clip.colors
const element = (id) => document.getElementById(id);

// People: arrays by row and joint, and the row of each frame.
const people = clip.people.map((person) => {
  const frames = decode(person.frames, Int32Array);
  return {
    name: `Person ${person.track}`,
    track: person.track,
    rows: new Map(Array.from(frames, (frame, row) => [frame, row])),
    positions: decode(person.positions, Int16Array),
    origin: person.origin,
    pixels: decode(person.pixels, Int16Array),
    detected: decode(person.detected, Uint8Array),
    undetected: decode(person.undetected, Uint8Array), // 1 for joints without a detection near in time
    doubts: decode(person.doubts, Uint8Array), // how much joints fade, from 0 to 255
    errors: person.errors && decode(person.errors, Uint8Array),
    angles: decode(person.angles, Int16Array),
    contacts: person.contacts,
    strides: person.strides, // index of the side, seconds of a contact and of the next one
    height: person.height,
    visible: true,
    body: makeMannequin(clip.mannequin, person.body, person.origin),
  };
});
const joints = clip.joints.length;
const bones = bonesOf(clip.parents);
const LIMBS = { legs: /hip|knee|ankle|heel|toe/, arms: /shoulder|elbow|wrist|hand/ };
const [HEAD, THORAX] = ['head', 'thorax'].map((name) => clip.joints.indexOf(name));
const ABOVE = new Vector3(0, 0.12, 0); // from the head to the name, meters
const NAME = 22; // height of a name, pixels

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
const part = { first: clip.first, last: clip.first + clip.count - 1 }; // first and last frame that are shown
const { last } = part;
const state = { frame: clip.first, playing: false, speed: 1, follow: people.length === 1, joint: -1, pointed: null };
const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;

// Return the time of a frame in seconds. Frames may have fractions, and times may be uneven.
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

const shows = (name) => element(name).ariaPressed === 'true';
const hides = (person, row, joint) => person.undetected[row * joints + joint] === 1 && !shows('undetected');

function show(frame) {
  state.frame = Math.min(Math.max(frame, part.first), part.last);
  const whole = Math.round(state.frame);
  if (whole < state.shown) state.jumped = true;
  state.shown = whole;
  for (const person of people) pose(person, whole);
  drawFlat(whole);
  element('timeline').value = whole;
  element('clock').value = `${secondsAt(whole).toFixed(2)} s · frame ${whole}`;
  readCurves();
  fillCorrections();
}

// Corrections by hand. `made` has the new ones; the clip shows the earlier ones already.
const made = [];
const ofJoints = (each) => 'exchange_sides' in each || 'wrong_joints' in each;
const covers = ({ from = clip.first, to = last }, frame) => frame >= from && frame <= to;

// Return the ID of a person in a frame after the new corrections; null if they leave it out.
function idAt(person, frame) {
  return made.filter((each) => !ofJoints(each) && covers(each, frame)).reduce((id, each) => {
    if (each.exchange_with === id) return each.person;
    return each.person === id ? each.exchange_with ?? each.is ?? null : id;
  }, person.track);
}
const nameAt = (person, frame) => `Person ${idAt(person, frame) ?? person.track}`;

// Split a correction where the ID of its person changes.
function pieces(person, each) {
  const found = [];
  for (const frame of person.rows.keys()) {
    const id = idAt(person, frame);
    if (!covers(each, frame) || id === null || found.at(-1)?.person === id) continue;
    if (found.length) found.at(-1).to = frame - 1;
    found.push({ ...each, person: id, ...(found.length && { from: frame }) });
  }
  return found;
}

// Return the file: people first, then sides and joints with the IDs that people have by then.
function correctionsFile() {
  const all = [...clip.corrections, ...made];
  const joints = all.filter(ofJoints).flatMap((each) => {
    const person = people.find(({ track }) => track === each.person);
    return person ? pieces(person, each) : [each];
  });
  const lines = [...all.filter((each) => !ofJoints(each)), ...joints].map((each) => `  ${JSON.stringify(each, null, 1).replace(/\n */g, ' ')}`);
  return `[\n${lines.join(',\n')}\n]\n`;
}

// Add the correction of the panel, or return why it does not fit.
function addCorrection() {
  const [person, kind, value] = [people[element('whose').value], element('action').value, element('object').value];
  const each = { [kind]: { leave_out: true, wrong_joints: [value.replace(' ', '_')] }[kind] ?? value };
  if (part.first > clip.first) each.from = part.first;
  if (part.last < last) each.to = part.last;
  const frames = [...person.rows.keys()].filter((frame) => covers(each, frame));
  if (!frames.length) return 'not in these frames';
  const beside = (id, frame) => people.some((other) => other !== person && other.rows.has(frame) && idAt(other, frame) === id);
  const shared = kind === 'is' ? frames.find((frame) => beside(Number(value), frame)) : undefined;
  if (shared !== undefined) return `both are in frame ${shared}`;
  if (ofJoints(each)) made.push({ person: person.track, ...each });
  else made.push(...pieces(person, { person: 0, ...each, ...(value && { [kind]: Number(value) }) }));
  showPart(clip.first, last);
  return '';
}

function describeCorrection(each) {
  const action = [...element('action').options].find(({ value }) => value in each);
  const kind = action.value;
  const value = kind === 'leave_out' ? '' : [each[kind]].flat().join(', ').replaceAll('_', ' ');
  const span = 'from' in each || 'to' in each ? `, frames ${each.from ?? clip.first} to ${each.to ?? last}` : '';
  return `Person ${each.person}: ${action.text} ${value}${span}`;
}

// Fill a list of choices; the chosen one stays.
function fillChoices(select, choices) {
  const key = JSON.stringify(choices);
  if (select.dataset.choices === key) return;
  const { value } = select;
  select.replaceChildren(...choices.map((choice) => new Option(...choice)));
  select.dataset.choices = key;
  select.value = value;
  if (select.selectedIndex < 0) select.selectedIndex = 0;
}

const CORRECTABLE = /^(left|right) (shoulder|elbow|wrist|hip|knee|ankle)$/; // joints that all 2D models have
function fillCorrections() {
  if (!shows('correct')) return;
  const frame = state.shown;
  fillChoices(element('whose'), people.map((person, index) => [nameAt(person, frame), index]));
  element('whose').value = people.indexOf(followed());
  const others = people.filter((person) => person !== followed()).map((person) => [nameAt(person, frame), idAt(person, frame) ?? person.track]);
  const unused = 1 + Math.max(...people.map(({ track }) => track), ...made.map(({ is }) => is ?? 0));
  fillChoices(element('object'), {
    exchange_sides: ['legs', 'arms', 'all'].map((limbs) => [limbs, limbs]),
    exchange_with: others,
    is: [...others, ['another person', unused]],
    leave_out: [],
    wrong_joints: clip.joints.filter((joint) => CORRECTABLE.test(joint)).map((joint) => [joint, joint]),
  }[element('action').value]);
  element('object').hidden = !element('object').length;
  element('span').textContent = `frames ${part.first} to ${part.last}`;
  const all = [...clip.corrections, ...made].map(describeCorrection);
  if (element('made').innerText !== all.join('\n')) {
    element('made').replaceChildren(...all.map((text) => Object.assign(document.createElement('li'), { textContent: text })));
    element('made').scrollTop = Infinity;
  }
  element('made').hidden = element('use').hidden = !all.length;
  element('undo').disabled = !made.length;
}

function pose(person, frame) {
  const row = person.rows.get(frame);
  const shown = person.visible && row !== undefined && idAt(person, frame) !== null;
  if (person.label) person.label.textContent = people.length > 3 ? idAt(person, frame) : nameAt(person, frame);
  person.body.mesh.visible = shown && shows('body');
  const doubt = (joint) => person.doubts[row * joints + joint] / 255;
  const hidden = (joint) => hides(person, row, joint);
  if (person.body.mesh.visible) {
    person.body.pose(row);
    person.body.fade(doubt, hidden);
  }
  person.skeleton.pose(shown && !shows('body') && ((joint, target) => jointAt(person, row, joint, target)), doubt, hidden);
}

function paint() {
  const background = getComputedStyle(document.documentElement).getPropertyValue('--page').trim();
  for (const person of people) {
    person.skeleton.paint(clip.colors, clip.sides);
    person.body.paint([...clip.colors, background].map((color) => new Color(color)));
  }
  stage.paint(document.documentElement.dataset.theme);
}

// Mark, below the time line, when the left and the right foot of a person stand.
function drawContacts() {
  const canvas = element('contacts');
  const person = followed();
  const [brush, ratio] = fit(canvas);
  const thumb = THUMB * ratio;
  const step = (canvas.width - 2 * thumb) / Math.max(part.last - part.first, 1);
  for (const [side, start, end] of person.contacts) {
    if (end < part.first || start > part.last) continue;
    brush.fillStyle = clip.colors[side];
    const [left, right] = [Math.max(start - 0.5, part.first), Math.min(end + 0.5, part.last)].map((frame) => thumb + (frame - part.first) * step);
    brush.fillRect(left, side === LEFT ? 0 : 0.6 * canvas.height, right - left, 0.4 * canvas.height);
  }
  canvas.hidden = !people.some((each) => each.contacts.length);
  element('feet').textContent = `feet of ${person.name}`;
  element('feet').hidden = canvas.hidden || people.length < 2;
  canvas.ariaLabel = canvas.title = `While feet of ${person.name} stand: left above right`;
}

// Angles: their joint, name in tables, and name for readers, such as "left knee".
const SIDES = { l: 'left ', r: 'right ' };
const angles = clip.angles.map(([joint, name]) => {
  const [part, angle, side] = name.split('_');
  return { joint, name, angle, text: `${SIDES[side] || ''}${part}${angle === 'angle' ? '' : ` ${angle}`}` };
});
const valueOf = (person, row, number) => person.angles[row * angles.length + number] / 10;

// What curves can show: angles, and distances of the pelvis from another person's.
const measures = [...angles, ...(people.length > 1 ? people : []).map((other) => ({ other, text: `distance to ${other.name}` }))];
const unitOf = (number) => (measures[number].other ? ' m' : '°');
const inUnit = (value, number) => `${measures[number].other ? value.toFixed(2) : Math.round(value)}${unitOf(number)}`;
function measure(person, frame, number) {
  const row = person.rows.get(frame);
  if (row === undefined || !measures[number].other) return row === undefined ? NaN : valueOf(person, row, number);
  return rootAt(measures[number].other, frame)?.distanceTo(rootAt(person, frame)) ?? NaN;
}

// The chart has a mode for gait cycles, with a button if a foot has two of them.
const cycles = () => element('cycle')?.ariaPressed === 'true';
const CYCLE = 101; // points of a cycle, from a contact of a foot, 0 %, to its next one, 100 %
const stridesOf = (person, side) => person.strides.filter(
  ([foot, contact, next]) => foot === side && contact >= secondsAt(part.first) && next <= secondsAt(part.last));

// Interpolate values at the points of a stride, by cubic curves through four frames each.
function sampled(person, number, [, contact, next]) {
  let [frame, before] = [clip.first, null];
  return Float32Array.from({ length: CYCLE }, (_, index) => {
    const seconds = contact + (index / (CYCLE - 1)) * (next - contact);
    frame = frameAfter(frame, seconds - secondsAt(frame));
    const share = frame - Math.floor(frame);
    const near = (value) => value + 360 * Math.round(((before ?? value) - value) / 360); // angles are periodic
    const own = near(measure(person, Math.floor(frame), number));
    if (!Number.isNaN(own)) before = own;
    const [last, after, later] = [-1, 1, 2].map((step) => near(measure(person, Math.floor(frame) + step, number)));
    const [start, end] = [(after - last) / 2, (later - own) / 2].map((slope) => (Number.isNaN(slope) ? after - own : slope));
    return share ? own + share * (start + share * (3 * (after - own) - 2 * start - end + share * (2 * (own - after) + start + end))) : own;
  });
}

// Return mean and standard deviation over the cycles of a foot in the shown part.
function meanCycle(person, number, side) {
  const all = stridesOf(person, side).map((stride) => sampled(person, number, stride));
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const level = all.map((cycle) => 360 * Math.round((mean(cycle) - mean(all[0])) / 360));
  const at = (index) => all.map((cycle, row) => cycle[index] - level[row]);
  const values = Float32Array.from({ length: CYCLE }, (_, index) => (all.length > 1 ? mean(at(index)) : NaN));
  const spread = values.map((value, index) => Math.sqrt(mean(at(index).map((each) => (each - value) ** 2)) * all.length / (all.length - 1)));
  return { values, spread, color: clip.colors[side], count: all.length };
}
const curves = new Map(); // shown curves by person and index of the angle

function toggleCurve(number, person = followed()) {
  const key = `${person.name} ${number}`;
  if (curves.has(key)) curves.get(key).button.remove();
  if (!curves.delete(key)) {
    const side = clip.sides[measures[number].joint] ?? 0;
    const same = [...curves.values()].filter((curve) => curve.side === side).map((curve) => curve.style);
    const style = Math.max(DASHES.findIndex((_, index) => !same.includes(index)), 0);
    const button = document.createElement('button');
    button.title = 'Hide this curve';
    button.style.setProperty('--side', clip.colors[side]);
    button.style.setProperty('--line', STYLES[style]);
    button.className = 'curve';
    button.addEventListener('click', () => toggleCurve(number, person));
    element('add').before(button);
    curves.set(key, { person, number, side, style, button });
  }
  if (shows('angles') !== curves.size > 0) toggle('angles', toggles.angles);
  else plotCurves();
}

// Show or hide the first angle of a joint of a person, if it has one.
function toggleJoint([person, joint]) {
  const number = angles.findIndex((each) => each.joint === joint);
  choose(person);
  if (number >= 0) toggleCurve(number);
}

// Choose a joint of a person to correct.
function correctJoint([person, joint]) {
  choose(person);
  if (element('action').value === 'wrong_joints' && CORRECTABLE.test(clip.joints[joint])) element('object').value = clip.joints[joint];
}

// Choose the person whose contacts and ranges are shown, and which the camera follows.
function choose(person) {
  state.person = person;
  fillCorrections();
  drawContacts();
  plotCurves();
}

function plotCurves() {
  if (!shows('angles')) return;
  const count = part.last - part.first + 1;
  for (const curve of curves.values()) {
    const { person, number, side } = curve;
    // The trunk has a cycle for each foot.
    if (cycles()) curve.drawn = (side ? [side] : [LEFT, RIGHT]).map((foot) => meanCycle(person, number, foot));
    else curve.drawn = [{ values: Float32Array.from({ length: count }, (_, index) => measure(person, part.first + index, number)), color: clip.colors[side] }];
  }
  const shown = [...curves.values()].filter(({ person }) => person.visible)
    .flatMap(({ drawn, style, number }) => drawn.map((each) => ({ ...each, dash: DASHES[style], unit: unitOf(number) })));
  const page = getComputedStyle(document.documentElement);
  const [ink, faint, panel] = ['--ink', '--faint', '--panel'].map((name) => page.getPropertyValue(name));
  drawCurves(element('curves'), shown, THUMB, { ink, faint, panel }, cycles() ? ['25 %', '50 %', '75 %'] : []);
  const more = [...measures.keys()].filter((number) => !curves.has(`${followed().name} ${number}`) && measures[number].other !== followed());
  fillChoices(element('add'), [['+ angle', ''], ...more.map((number) => [measures[number].text, number])]);
  element('curve-person').value = people.indexOf(followed());
  fillRanges();
  readCurves();
}

const axis = () => (cycles() ? [0, CYCLE - 1] : [part.first, part.last]);
const spanOf = () => (element('plot').clientWidth - 2 * THUMB) / Math.max(axis()[1] - axis()[0], 1);

// Return the frames and values of an angle in the shown part.
const valuesIn = (person, number) => [...person.rows].filter(([frame]) => frame >= part.first && frame <= part.last)
  .map(([frame, row]) => [frame, valueOf(person, row, number)]);

// Columns of the table of ranges: indices of the left and the right angle, or of one angle.
const columns = [];
function addRanges() {
  const [head, ...rows] = document.querySelectorAll('#ranges tr');
  const pairs = angles.flatMap(({ name }, right) => {
    const left = angles.findIndex((each) => each.name === name.replace(/_r$/, '_l'));
    return name.endsWith('_l') ? [] : [[...new Set([left, right])]];
  });
  // Limbs come first, then the trunk.
  for (const numbers of pairs.sort((one, other) => other.length - one.length)) {
    const title = document.createElement('th');
    title.scope = 'col';
    title.textContent = angles[numbers.at(-1)].text.replace(SIDES.r, '');
    head.append(title);
    const cells = (numbers.length > 1 ? rows : [rows[0], rows[2]]).map((row) => row.insertCell());
    cells[0].rowSpan = 3 - numbers.length;
    columns.push({ cells, numbers });
  }
  [LEFT, RIGHT].forEach((side, at) => rows[at].firstElementChild.style.setProperty('--side', clip.colors[side]));
}

function fillRanges() {
  if (people.length > 1) document.querySelector('#ranges th').textContent = `range, ${followed().name}`;
  for (const { cells, numbers } of columns) {
    const spans = numbers.map((number) => {
      let [low, high, before] = [Infinity, -Infinity, 0];
      for (const [, value] of valuesIn(followed(), number)) {
        before = value + 360 * Math.round((before - value) / 360); // angles are periodic
        [low, high] = [Math.min(low, before), Math.max(high, before)];
      }
      return [low, high].map(Math.round);
    });
    spans.forEach(([low, high], at) => { cells[at].textContent = low > high ? '–' : `${high - low}° (${low} to ${high})`; });
    const [left, right] = spans.map(([low, high]) => high - low);
    cells.at(-1).textContent = right >= 0 ? `${left - right}°` : '';
  }
}

// Show a part of the clip, which playing repeats.
function showPart(first, end) {
  if (first > end) return;
  Object.assign(part, { first, last: end });
  [element('timeline').min, element('timeline').max] = [first, end];
  document.querySelectorAll('[data-part=whole]').forEach((button) => { button.disabled = first === clip.first && end === last; });
  drawContacts();
  plotCurves();
  show(state.frame);
}

// Show values at the frame under the pointer, or else the current one, or at the point of a cycle.
function readCurves() {
  if (!shows('angles')) return;
  const at = state.pointed ?? (cycles() ? 0 : state.shown);
  const [first] = axis();
  const move = (name, to) => { element(name).style.transform = `translateX(${THUMB + (to - first) * spanOf()}px)`; };
  element('now').hidden = cycles();
  move('now', state.shown);
  element('pointed').hidden = state.pointed === null;
  if (state.pointed !== null) move('pointed', state.pointed);
  element('moment').textContent = cycles() ? `${at} %` : `${secondsAt(at).toFixed(2)} s`;
  for (const { person, number, button, drawn } of curves.values()) {
    const texts = (person.visible && drawn ? drawn : []).map(({ values, spread, count }) => {
      const value = values[at - first] ?? NaN;
      if (Number.isNaN(value)) return count < 2 ? `– (${count} of 2 cycles)` : '–';
      return inUnit(value, number) + (spread ? ` ± ${inUnit(spread[at], number)} (${count} cycles)` : '');
    });
    button.textContent = `${people.length > 1 ? `${person.track}: ` : ''}${measures[number].text} ${texts.join(', ') || '–'}`;
  }
  element('curves').ariaLabel = `Angles at ${element('moment').textContent}: ${[...curves.values()].map(({ button }) => button.textContent).join(', ')}`;
}

function save(name, blob) {
  const link = document.createElement('a');
  link.download = `${document.title}${name}`;
  link.href = URL.createObjectURL(blob);
  link.click();
  URL.revokeObjectURL(link.href);
}

// Return all angles of all people, as in .angles.csv.
function saveAngles() {
  const rows = people.flatMap((person) => [...person.rows].map(([frame, row]) => [
    frame, secondsAt(frame).toFixed(6), person.track, ...angles.map((_, number) => valueOf(person, row, number).toFixed(1)),
  ])).sort((one, other) => one[0] - other[0] || one[2] - other[2]);
  const lines = [['frame', 'time', 'track', ...angles.map(({ name }) => name)], ...rows].map((row) => `${row.join(',')}\r\n`);
  save('.angles.csv', new Blob(lines, { type: 'text/csv' }));
}

// Return an image of the page: the video, the 3D view, names and curves.
function saveImage() {
  stage.render();
  const boxOf = (each) => each.getBoundingClientRect();
  const top = boxOf(document.querySelector('main')).top;
  const canvas = document.createElement('canvas');
  const ratio = Math.min(window.devicePixelRatio, 2);
  const end = shows('angles') ? boxOf(element('chart')).bottom + 6 : boxOf(element('stage')).bottom;
  [canvas.width, canvas.height] = [window.innerWidth * ratio, (end - top) * ratio];
  const brush = canvas.getContext('2d');
  brush.scale(ratio, ratio);
  brush.translate(0, -top);
  const page = getComputedStyle(document.documentElement);
  brush.fillStyle = page.getPropertyValue('--page');
  brush.fillRect(0, top, canvas.width, canvas.height);
  const seen = (selector) => [...document.querySelectorAll(selector)].filter((each) => each.checkVisibility());
  for (const part of seen('main canvas, #curves')) {
    const box = boxOf(part); // the image may fill only a part of it
    const scale = Math.min(box.width / part.width, box.height / part.height);
    const [width, height] = [part.width * scale, part.height * scale];
    brush.drawImage(part, box.x + (box.width - width) / 2, box.y + (box.height - height) / 2, width, height);
  }
  brush.textBaseline = 'middle';
  brush.textAlign = 'right';
  for (const each of seen('#names span, #moment, .curve, #now, #ranges th, #ranges td')) {
    const [box, style] = [boxOf(each), getComputedStyle(each)];
    brush.fillStyle = each.style.getPropertyValue('--side') || page.getPropertyValue('--ink');
    brush.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
    brush.setLineDash(DASHES[STYLES.indexOf(each.style.getPropertyValue('--line'))] || []);
    brush.strokeStyle = brush.fillStyle;
    brush.lineWidth = 2;
    if (each.className === 'curve') brush.stroke(new Path2D(`M${box.x} ${box.y + box.height / 2}h24`));
    if (each.id === 'now') brush.fillRect(box.x, box.y, box.width, box.height);
    else brush.fillText(each.textContent, box.right - parseFloat(style.paddingRight), box.y + box.height / 2, box.width);
  }
  canvas.toBlob((blob) => save(`-${state.shown}.png`, blob));
}

// Images of the video, if the page has them. The ones after a frame are decoded ahead.
const numbers = Object.keys(clip.images).map(Number);
const images = new Map();
const AHEAD = 8;
let decoded = [null, null]; // the last image and its frame, shown until the next is decoded

function imageAt(frame) {
  const index = numbers.findLastIndex((number) => number <= frame);
  if (index < 0) return [null, frame];
  numbers.slice(index, index + AHEAD).filter((number) => !images.has(number)).forEach((number) => {
    const image = new Image();
    image.onload = () => { if (numbers[index] === number) drawFlat(Math.round(state.frame)); };
    image.src = `data:image/jpeg;base64,${clip.images[number]}`;
    images.set(number, image);
  });
  const image = images.get(numbers[index]);
  if (image.complete && image.naturalWidth) decoded = [image, frame];
  return [decoded[0], decoded[1] ?? frame];
}

// Draw the image with its 2D keypoints. Interpolated joints are pale.
function drawFlat(current) {
  const canvas = element('ghost');
  if (!shows('flat')) return;
  const brush = canvas.getContext('2d');
  const scale = canvas.width / clip.width / clip.pixelSteps;
  const [image, frame] = imageAt(current);
  brush.globalAlpha = 1;
  brush.clearRect(0, 0, canvas.width, canvas.height);
  if (image) brush.drawImage(image, 0, 0, canvas.width, canvas.height);
  brush.lineWidth = canvas.width / 210;
  const labels = [];
  for (const person of people) {
    const row = person.rows.get(frame);
    if (!person.visible || row === undefined || idAt(person, frame) === null) continue;
    const acts = (joint) => made.filter((each) => ofJoints(each) && each.person === person.track && covers(each, frame)
      && (each.exchange_sides === 'all' || LIMBS[each.exchange_sides]?.test(clip.joints[joint]) || each.wrong_joints?.includes(clip.joints[joint].replace(' ', '_'))));
    const at = (joint) => [0, 1].map((axis) => person.pixels[2 * (row * joints + joint) + axis] * scale);
    drawBones(brush, bones, at, (child) => {
      const [wrong, exchanged] = ['wrong_joints', 'exchange_sides'].map((kind) => acts(child).filter((each) => kind in each).length);
      brush.strokeStyle = clip.colors[exchanged % 2 ? [0, RIGHT, LEFT][clip.sides[child]] : clip.sides[child]];
      if ([child, clip.parents[child]].some((joint) => hides(person, row, joint))) brush.globalAlpha = 0;
      else brush.globalAlpha = person.detected[row * joints + child] && !wrong ? 1 : 0.35;
    });
    if (!person.label) continue;
    const [head, chest] = [at(HEAD), at(THORAX)];
    labels.push([person.label.textContent, head[0], head[1] - 0.3 * Math.hypot(head[0] - chest[0], head[1] - chest[1])]);
  }
  const size = Math.max(11 * window.devicePixelRatio, canvas.width / 45);
  const taken = labels.map(([, x, y]) => ({ x, low: y + size, width: 0.5 * size })); // heads
  for (const each of labels) write(brush, ...each, size, taken);
}

// Move a label to the nearest place in the view that overlaps no label placed before.
function freePlace([x, y], width, height, view, taken) {
  const free = (low) => low >= height && low <= view.height && !taken.some(
    (each) => Math.abs(each.x - x) < (each.width + width) / 2 && Math.abs(each.low - low) < height - 0.1);
  x = Math.min(Math.max(x, width / 2), view.width - width / 2);
  const places = [Math.max(y, height), ...taken.flatMap(({ low }) => [low - height, low + height])].filter(free);
  const far = (low) => Math.max(y - low, 3 * (low - y)); // below a label may be a face
  const low = places.sort((one, other) => far(one) - far(other))[0] ?? y;
  taken.push({ x, low, width });
  return [x, low];
}

// Write a name above a place in the image.
function write(brush, text, x, y, size, taken) {
  brush.font = `600 ${size}px system-ui, sans-serif`;
  [x, y] = freePlace([x, y - 0.5 * size], brush.measureText(text).width + 0.5 * size, 1.2 * size, brush.canvas, taken);
  brush.textAlign = 'center';
  brush.globalAlpha = 1;
  brush.lineJoin = 'round';
  for (const [draw, color] of [['strokeText', '#fff'], ['fillText', '#000']]) {
    brush.strokeStyle = brush.fillStyle = color;
    brush[draw](text, x, y);
  }
}

// Return the person whose curves are shown and which the camera follows: the last one that was
// clicked, or else the first that is shown.
const followed = () => [state.person, ...people].find((person) => person?.visible) || people[0];

function rootAt(person, frame) {
  const row = person.rows.get(frame);
  return row === undefined ? null : jointAt(person, row, 0);
}

// Return the joints of all frames, of all people or of the followed one relative to its root.
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

// Look at points from a direction, as close as the window allows.
function view(name) {
  const toward = new Vector3(...DIRECTIONS[name]).normalize();
  const right = new Vector3(0, 1, 0).cross(toward).normalize();
  const axes = [right, toward.clone().cross(right), toward];
  const seen = points().map((point) => axes.map((axis) => point.dot(axis)));
  const [low, high] = [Math.min, Math.max].map((choose) => [0, 1, 2].map(
    (axis) => seen.reduce((best, place) => choose(best, place[axis]), seen[0][axis])));
  const middle = low.map((value, axis) => (value + high[axis]) / 2);
  const half = Math.tan((camera.fov * Math.PI) / 360);
  const distance = Math.max(...seen.map((place) => place[2] - middle[2] + Math.max(
    ...[half * camera.aspect, half].map((span, axis) => (Math.abs(place[axis] - middle[axis]) + MARGIN) / span))));
  state.offset = axes.reduce((sum, axis, number) => sum.addScaledVector(axis, middle[number]), new Vector3());
  controls.target.copy(state.offset);
  if (state.follow) controls.target.add(rootAt(followed(), Math.round(state.frame)) || everywhere.center);
  camera.position.copy(controls.target).addScaledVector(toward, distance);
  controls.update();
  mark(name);
}

// Mark the button of a view, or none (null) once the user has moved the camera.
function mark(name) {
  state.view = name;
  document.querySelectorAll('[data-view]').forEach((button) => { button.ariaPressed = String(button.dataset.view === name); });
}

function resize() {
  for (const name of ['flat', 'large', 'info']) document.querySelector('main').classList.toggle(name, shows(name));
  const [box, flat] = [element('stage'), element('ghost')];
  flat.hidden = element('large').hidden = !shows('flat');
  // On upright phones the image is as wide as the window.
  element('large').hidden ||= 0.3 * window.innerHeight > (window.innerWidth * clip.height) / clip.width;
  stage.resize(box.clientWidth, box.clientHeight);
  const scale = Math.min(flat.clientWidth / clip.width, flat.clientHeight / clip.height) * window.devicePixelRatio;
  if (scale) [flat.width, flat.height] = [clip.width, clip.height].map((side) => Math.max(Math.round(side * scale), 1));
  if (state.view) view(state.view);
  drawContacts();
  plotCurves();
  show(state.frame);
}

// Return the place of a joint in the 3D view, in pixels; null if it is behind the camera.
function pixelOf(place) {
  const at = place.project(camera);
  const { clientWidth, clientHeight } = element('stage');
  return at.z < 1 ? [((1 + at.x) / 2) * clientWidth, ((1 - at.y) / 2) * clientHeight] : null;
}

function rowOf(person) {
  const frame = Math.round(state.frame);
  return person.visible && idAt(person, frame) !== null ? person.rows.get(frame) : undefined;
}

// Return the joint at the pointer, or the one chosen by keys: [person, joint], or null.
function chosen() {
  if (state.joint >= 0) return rowOf(followed()) === undefined ? null : [followed(), state.joint];
  let [best, found] = [REACH, null];
  for (const person of pointer ? people : []) {
    const row = rowOf(person);
    for (let joint = 0; row !== undefined && joint < joints; joint += 1) {
      const at = pixelOf(jointAt(person, row, joint));
      const distance = at && !hides(person, row, joint) ? Math.hypot(at[0] - pointer[0], at[1] - pointer[1]) : Infinity;
      if (distance < best) [best, found] = [distance, [person, joint]];
    }
  }
  return found;
}

// Return the name, angles and expected error of a joint.
function describe(person, joint) {
  const row = rowOf(person);
  const lines = [(people.length > 1 ? `${person.name}, ` : '') + clip.joints[joint]];
  angles.forEach((each, number) => {
    if (each.joint === joint) lines.push(`${each.angle} ${Math.round(valueOf(person, row, number))}°`);
  });
  const error = person.errors ? person.errors[row * joints + joint] : 0;
  if (!person.detected[row * joints + joint]) lines.push('not detected');
  else if (error) lines.push(`expected error ${((error * clip.errorStep) / 10).toFixed(1)} cm`);
  return lines.join('\n');
}

// Place an element over the 3D view; hide it without a place.
function place(label, at, up) {
  label.hidden = !at;
  if (at) label.style.transform = `translate(${at[0]}px, ${at[1]}px) translate(-50%, ${up})`;
}

function label() {
  const view = { width: element('stage').clientWidth, height: element('stage').clientHeight };
  const labeled = people.filter((person) => person.label).map((person) => {
    const row = rowOf(person);
    return [person, row === undefined ? null : pixelOf(jointAt(person, row, HEAD).add(ABOVE))];
  });
  const taken = labeled.filter(([, at]) => at).map(([, [x, y]]) => ({ x, low: y + NAME, width: NAME / 2 })); // heads
  for (const [person, at] of labeled) {
    place(person.label, at, '-100%');
    // Names stay in the view if the heads of their people are there.
    if (at && at[1] > -NAME && at[0] > 0 && at[0] < view.width) place(person.label, freePlace(at, person.label.offsetWidth, NAME, view, taken), '-100%');
  }
  const found = chosen();
  const at = found && pixelOf(jointAt(found[0], rowOf(found[0]), found[1]));
  if (at) element('hint').textContent = describe(...found);
  place(element('hint'), at && [at[0], at[1] - 12], '-100%');
  if (!at) return;
  // Keep it in the view.
  const [box, hint] = ['stage', 'hint'].map((name) => element(name).getBoundingClientRect());
  const across = Math.max(box.left - hint.left, 0) + Math.min(box.right - hint.right, 0);
  place(element('hint'), [at[0] + across, at[1] - 12 + Math.max(box.top - hint.top, 0)], '-100%');
}

function setPlaying(playing) {
  state.playing = playing;
  if (playing && Math.round(state.frame) >= part.last) show(part.first);
  element('play').textContent = playing ? '❚❚' : '▶';
  element('play').ariaLabel = playing ? 'Pause' : 'Play';
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  paint();
  plotCurves();
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
  body: () => show(state.frame),
  undetected: () => show(state.frame),
  flat: resize,
  large: resize,
  info: (pressed) => { element('facts').hidden = !pressed; resize(); },
  angles: (pressed) => {
    element('chart').hidden = !pressed;
    document.querySelector('footer').classList.toggle('chart', pressed);
    const knees = angles.flatMap(({ text }, number) => (/knee/.test(text) ? [number] : []));
    if (pressed && !curves.size) knees.forEach((number) => toggleCurve(number));
    resize();
  },
  correct: (pressed) => { element('corrections').hidden = !pressed; resize(); },
};
const parts = {
  begin: () => showPart(state.shown, part.last),
  end: () => showPart(part.first, state.shown),
  whole: () => showPart(clip.first, last),
};
const themes = () => setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');

people.forEach((person) => {
  const label = document.createElement('label');
  const box = document.createElement('input');
  box.type = 'checkbox';
  box.checked = true;
  box.addEventListener('change', () => { person.visible = box.checked; drawContacts(); plotCurves(); show(state.frame); });
  label.append(box, ` ${person.name}${person.height ? ` (${person.height})` : ''}`);
  label.title = person.track < 10 ? `Shift+${person.track}` : '';
  element('people').append(label);
  person.box = box;
  if (people.length < 2) return;
  person.label = document.createElement('span');
  person.label.textContent = people.length > 3 ? person.track : person.name;
  element('names').append(person.label);
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

const walker = people.find((person) => [LEFT, RIGHT].some((side) => stridesOf(person, side).length > 1));
if (walker) {
  state.person = walker; // the chart opens with a person who has a cycle
  const button = document.createElement('button');
  Object.assign(button, { id: 'cycle', textContent: 'Gait cycle', ariaPressed: 'false' });
  button.title = 'Mean and standard deviation from a contact of the foot, 0 %, to its next one, in the part that is shown';
  button.addEventListener('click', () => { state.pointed = null; toggle('cycle', plotCurves); });
  element('begin').before(button);
}
addRanges();
people.forEach(({ name }, index) => element('curve-person').append(new Option(name, index)));
element('curve-person').hidden = people.length < 2;
element('curve-person').addEventListener('change', (event) => choose(people[event.target.value]));
element('add').addEventListener('change', (event) => {
  if (event.target.value) toggleCurve(Number(event.target.value));
  event.target.value = '';
});
element('csv').addEventListener('click', saveAngles);
document.querySelectorAll('[data-part]').forEach((button) => button.addEventListener('click', parts[button.dataset.part]));
element('whose').addEventListener('change', (event) => choose(people[event.target.value]));
element('action').addEventListener('change', fillCorrections);
element('make').addEventListener('click', () => { element('refusal').textContent = addCorrection(); });
element('undo').addEventListener('click', () => { made.pop(); show(state.frame); });
element('save').addEventListener('click', () => save('.corrections.json', new Blob([correctionsFile()], { type: 'application/json' })));
document.querySelector('#use code').textContent = `mmhot infer VIDEO --corrections ${document.title}.corrections.json`;
element('png').addEventListener('click', saveImage);
for (const kind of ['pointerdown', 'pointermove', 'pointerleave']) {
  element('plot').addEventListener(kind, (event) => {
    const [first, end] = axis();
    const at = Math.round((event.offsetX - THUMB) / spanOf()) + first;
    state.pointed = kind === 'pointerleave' ? null : Math.min(Math.max(at, first), end);
    if (event.buttons && !cycles()) { setPlaying(false); show(state.pointed); }
    readCurves();
  });
}

element('play').addEventListener('click', () => setPlaying(!state.playing));
element('timeline').min = clip.first;
element('timeline').max = last;
element('timeline').addEventListener('input', (event) => { setPlaying(false); show(Number(event.target.value)); });
element('speed').addEventListener('change', (event) => { state.speed = Number(event.target.value); });
element('theme').addEventListener('click', themes);
for (const [name, change] of Object.entries(toggles)) element(name).addEventListener('click', () => toggle(name, change));
document.querySelectorAll('[data-view]').forEach((button) => button.addEventListener('click', () => view(button.dataset.view)));
new ResizeObserver(resize).observe(element('stage'));
let pointer = null;
for (const kind of ['pointerdown', 'pointermove']) {
  element('scene').addEventListener(kind, (event) => { [pointer, state.joint] = [[event.offsetX, event.offsetY], -1]; });
}
let pressed = null; // place of the press, as drags are not clicks
element('scene').addEventListener('pointerdown', (event) => { pressed = [event.offsetX, event.offsetY]; });
element('scene').addEventListener('click', (event) => {
  const found = Math.hypot(event.offsetX - pressed[0], event.offsetY - pressed[1]) < 4 && chosen();
  if (found) (shows('correct') ? correctJoint : toggleJoint)(found);
});
element('scene').addEventListener('pointerleave', (event) => { if (event.pointerType === 'mouse') pointer = null; });

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
  u: () => toggle('undetected', toggles.undetected),
  2: () => toggle('flat', toggles.flat),
  e: () => toggle('large', toggles.large),
  j: () => { state.joint = (state.joint + 1) % joints; },
  J: () => { state.joint = (Math.max(state.joint, 0) + joints - 1) % joints; },
  Escape: () => { [pointer, state.joint] = [null, -1]; if (shows('info')) toggle('info', toggles.info); },
  c: () => { const found = chosen(); if (found) toggleJoint(found); },
  a: () => toggle('angles', toggles.angles),
  ',': parts.begin,
  '.': parts.end,
  w: parts.whole,
  p: saveImage,
  x: () => toggle('correct', toggles.correct),
  i: () => toggle('info', toggles.info),
  d: themes,
};
window.addEventListener('keydown', (event) => {
  const shifted = event.shiftKey && people.find(({ track }) => event.code === `Digit${track}`);
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.tagName === 'SELECT') return;
  if (event.target.type === 'checkbox' && event.key === 'Enter') event.target.click();
  // Controls keep their keys; the time line has no use for the space bar.
  if (['Enter', ' '].includes(event.key) && event.target.matches('button, input:not([type=range])')) return;
  if (shifted) shifted.box.click();
  else if (keys[event.key]) keys[event.key](event.shiftKey);
  else return;
  event.preventDefault();
});

// Move the camera a part of the way to the followed person.
function followOn(share) {
  const goal = state.follow && rootAt(followed(), Math.round(state.frame));
  if (!goal) return;
  const move = goal.add(state.offset).sub(controls.target).multiplyScalar(share);
  controls.target.add(move);
  camera.position.add(move);
}

let before = null;
function tick(now) {
  const seconds = (now - (before ?? now)) / 1000;
  before = now;
  if (state.playing) {
    const next = frameAfter(state.frame, seconds * state.speed);
    show(next > part.last + 0.5 ? part.first : next);
  }
  followOn(state.playing && !state.jumped && !still ? 1 - 0.002 ** seconds : 1);
  state.jumped = false;
  stage.render();
  label();
  requestAnimationFrame(tick);
}

document.documentElement.style.setProperty('--aspect', clip.width / clip.height);
element('follow').ariaPressed = String(state.follow);
element('undetected').hidden = !people.some((person) => person.undetected.includes(1));
mark('front');
setTheme(window.matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
resize();
// A view that the user has changed stays when the window changes.
controls.addEventListener('start', () => mark(null));
setPlaying(!still);
requestAnimationFrame(tick);

// Access for tests and scripts.
window.mmhot = {
  clip, state, show,
  bone: (person, joint) => people[person].body.bone(joint),
  pixel: (person, joint) => {
    const { left, top } = element('stage').getBoundingClientRect();
    const [x, y] = pixelOf(jointAt(people[person], people[person].rows.get(Math.round(state.frame)), joint));
    return [left + x, top + y];
  },
  joint: (person, joint) => jointAt(people[person], people[person].rows.get(Math.round(state.frame)), joint).toArray(),
};
