// ONNX Runtime Web: WebAssembly on the CPU, or WebGPU; models with their meta.json.

// Each back end has a build of its own: the one with WebGPU is twice as large.
const BUILDS = { wasm: 'ort.wasm.min.mjs', webgpu: 'ort.webgpu.min.mjs' };
const MAX_THREADS = 4;
const TIMED_RUNS = 3;
const PATIENCE = 20; // seconds for the first runs on a GPU, which compile

export const threads = () => (self.crossOriginIsolated ? Math.min(MAX_THREADS, navigator.hardwareConcurrency || 1) : 1);

async function loadRuntime(backend) {
  const folder = new URL('ort/', document.baseURI).href;
  const runtime = await import(folder + BUILDS[backend]);
  runtime.env.wasm.wasmPaths = folder;
  runtime.env.wasm.numThreads = threads();
  runtime.env.logLevel = 'error';
  return runtime;
}

// Whether there is a GPU; programs that stand in for one are slower than WebAssembly.
async function hasWebGPU() {
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    return Boolean(adapter) && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  } catch {
    return false;
  }
}

async function fetchFile(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}

// Shipped models have their weights in a file of their own.
async function fetchModel({ folder, weights }) {
  const names = ['meta.json', 'model.onnx', ...(weights ? [weights] : [])];
  const [meta, graph, data] = await Promise.all(names.map((name) => fetchFile(`${folder}/${name}`)));
  const externalData = weights ? [{ path: weights, data }] : [];
  return { meta: JSON.parse(new TextDecoder().decode(meta)), graph, externalData };
}

class Model {
  constructor(runtime, session, meta) {
    Object.assign(this, { runtime, session, meta });
  }

  // Run on data of a shape; typed arrays and shapes of the outputs by name.
  async run(data, shape) {
    const input = new this.runtime.Tensor('float32', data, shape);
    return this.session.run({ [this.meta.input.name]: input });
  }

  async seconds() {
    const shape = this.meta.input.shape.map((size) => (Number.isInteger(size) ? size : 1));
    const data = new Float32Array(shape.reduce((a, b) => a * b));
    await this.run(data, shape);
    const start = performance.now();
    for (let count = 0; count < TIMED_RUNS; count += 1) await this.run(data, shape);
    return (performance.now() - start) / 1000 / TIMED_RUNS;
  }
}

async function openAll(downloads, backend) {
  const runtime = await loadRuntime(backend);
  const models = {};
  for (const [name, { meta, graph, externalData }] of Object.entries(downloads)) {
    const options = { executionProviders: backend === 'webgpu' ? ['webgpu', 'wasm'] : ['wasm'], externalData };
    models[name] = new Model(runtime, await runtime.InferenceSession.create(graph, options), meta);
  }
  return { models, backend };
}

// Open models by folder and file of weights. 'auto' takes the back end on which 2D poses are faster.
export async function openModels(places, backend, say) {
  say('loading the models');
  const entries = await Promise.all(
    Object.entries(places).map(async ([name, place]) => [name, await fetchModel(place)]),
  );
  const downloads = Object.fromEntries(entries);
  if (backend !== 'auto') return openAll(downloads, backend);
  const cpu = await openAll(downloads, 'wasm');
  if (!(await hasWebGPU())) return cpu;
  say('comparing WebAssembly and WebGPU');
  try {
    const slow = await cpu.models.pose2d.seconds();
    const compared = openAll(downloads, 'webgpu').then(
      async (gpu) => ((await gpu.models.pose2d.seconds()) < slow ? gpu : cpu),
    );
    return await Promise.race([compared, new Promise((resolve) => { setTimeout(resolve, 1000 * PATIENCE, cpu); })]);
  } catch (error) {
    console.warn(`WebGPU: ${error.message}`);
    return cpu;
  }
}
