// 3D poses of a video or the camera, estimated in this page.
import { LiveLifter } from './lift.js';
import { PoseLines } from './lines.js';
import { openModels, threads } from './runtime.js';
import { Tracker } from './tracks.js';
import { drawOverlay, View } from './view.js';

// Seconds of later frames that poses wait for: as much as the lifter reads in videos, and
// four frames as `mmhot stream`.
const LOOKAHEAD = { file: Infinity, camera: 4 / 30 };
// A video plays more slowly where frames are missed, and from the first of these on waits
// while a frame is processed. It waits for the first frame, too, as networks are compiled.
const [START_RATE, MIN_RATE, SLOWER, FASTER] = [0.25, 0.0625, 0.7, 1.03];
const RECENT = 2; // seconds that the frames/s are of

const element = (id) => document.getElementById(id);
const video = element('video');
const page = await (await fetch('page.json')).json();
const view = new View(element('scene'));
let opened = null;
let running = null;

function say(text, isError = false) {
  element('status').textContent = text;
  element('status').classList.toggle('error', isError);
}

async function models() {
  const backend = element('backend').value;
  if (opened?.wanted !== backend) opened = { wanted: backend, ...(await openModels(page.models, backend, say)) };
  return opened;
}

class Run {
  constructor(kind, source) {
    Object.assign(this, { kind, source, ended: new AbortController(), recent: [], frames: 0, missed: 0 });
  }

  async start() {
    const { models: { detector, pose2d, lifter }, backend } = await models();
    this.backend = backend;
    this.lifter = new LiveLifter(lifter, page, LOOKAHEAD[this.kind]);
    this.tracker = new Tracker({ detector, pose2d }, Number(element('people').value));
    this.meta = { pose2d: pose2d.meta, lifter: lifter.meta };
    if (this.kind === 'file') video.src = URL.createObjectURL(this.source);
    else video.srcObject = this.source;
    video.playbackRate = this.kind === 'file' ? START_RATE : 1;
    let next = this.#nextFrame();
    await video.play();
    say(this.kind === 'file' ? this.source.name : 'camera');
    for (let shown = 0, frame = await next; frame; frame = await next) {
      const image = await createImageBitmap(video);
      const missed = Math.max(shown && frame.presentedFrames - shown - 1, 0);
      shown = frame.presentedFrames;
      this.missed += missed;
      if (this.kind === 'file') this.#adaptRate(missed > 0);
      const holds = this.waits || (this.kind === 'file' && this.frames === 0);
      if (holds) video.pause();
      await this.#process(image, frame.mediaTime);
      image.close();
      next = this.#nextFrame();
      if (holds && !video.ended) await video.play();
    }
    this.#show(await this.lifter.flush());
  }

  async #process(image, time) {
    const size = { width: image.width, height: image.height };
    this.lines ??= new PoseLines(this, size, page);
    if (this.last !== undefined && time <= this.last) return;
    this.last = time;
    this.frames += 1;
    const people = await this.tracker.update(image, time);
    drawOverlay(element('overlay'), image, people, this.meta.pose2d);
    this.#show(await this.lifter.update(time, people, size));
    this.#report();
  }

  #show(lifted) {
    for (const poses of lifted) {
      this.lines.add(poses);
      view.show(poses.people, this.meta.lifter);
    }
  }

  #report() {
    const now = performance.now() / 1000;
    this.recent = [...this.recent.filter((time) => now - time < RECENT), now];
    const fps = this.recent.length > 1 ? (this.recent.length - 1) / (now - this.recent[0]) : 0;
    const { detector, pose2d } = this.tracker.seconds;
    const stages = { detector, '2D': pose2d, '3D': this.lifter.seconds };
    const missed = this.missed ? `, ${this.missed} of ${this.frames + this.missed} frames missed` : '';
    const where = this.backend === 'webgpu' ? 'WebGPU' : `WebAssembly, ${threads()} thread${threads() > 1 ? 's' : ''}`;
    element('speed').textContent = `${fps.toFixed(1)} frames/s (${where}${missed})`;
    element('times').textContent = Object.entries(stages).map(([name, s]) => `${name} ${(1000 * s).toFixed(0)} ms`).join(', ');
  }

  // Metadata of the next frame that the browser shows; null at the end.
  #nextFrame() {
    return new Promise((resolve) => {
      const end = () => resolve(null);
      if (video.ended || this.ended.signal.aborted) end();
      video.addEventListener('ended', end, { once: true });
      this.ended.signal.addEventListener('abort', end);
      video.requestVideoFrameCallback((_, frame) => resolve(frame));
    });
  }

  #adaptRate(hasMissed) {
    this.waits ||= hasMissed;
    const rate = video.playbackRate * (hasMissed ? SLOWER : FASTER);
    video.playbackRate = Math.min(Math.max(rate, MIN_RATE), 1);
  }

  stop() {
    this.ended.abort();
  }

  close() {
    video.pause();
    if (this.kind === 'camera') this.source.getTracks().forEach((track) => track.stop());
    else URL.revokeObjectURL(video.src);
    video.removeAttribute('src');
    video.srcObject = null;
  }
}

async function run(kind, open) {
  await stop();
  setRunning(true);
  view.clear();
  try {
    const own = new Run(kind, await open());
    running = { own, done: own.start().finally(() => own.close()) };
    await running.done;
    say(`done: ${own.frames} frames${own.missed ? `, ${own.missed} missed` : ''}`);
  } catch (error) {
    say(explain(error), true);
  }
  setRunning(false);
}

function explain(error) {
  if (error.name === 'NotAllowedError') return 'The browser does not allow the camera: allow it for this page.';
  if (error.name === 'NotFoundError') return 'This device has no camera.';
  if (error.name === 'NotSupportedError') return 'This browser cannot play the video: convert it to H.264 in MP4, or WebM.';
  return error.message;
}

async function stop() {
  running?.own.stop();
  await running?.done.catch(() => {});
}

function setRunning(isRunning) {
  element('stop').disabled = !isRunning;
  for (const name of ['file', 'example', 'camera', 'people', 'backend']) element(name).disabled = isRunning;
  element('save').disabled = isRunning || !running?.own.lines;
}

element('file').addEventListener('change', ({ target }) => {
  const [file] = target.files;
  if (file) run('file', () => file);
  target.value = '';
});
element('example').addEventListener('click', () => run('file', async () => {
  const answer = await fetch('example.mp4');
  return new File([await answer.blob()], 'example.mp4');
}));
element('camera').addEventListener('click', () => run('camera', () => {
  if (!navigator.mediaDevices) throw new Error('Browsers allow the camera on https pages and on this machine alone.');
  return navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720 }, audio: false });
}));
element('stop').addEventListener('click', stop);
element('save').addEventListener('click', () => running.own.lines.save());
if (!video.requestVideoFrameCallback) say('This browser is too old: it cannot read frames of videos.', true);

// For tests and scripts.
window.mmhot = { page, run: () => running?.own };
