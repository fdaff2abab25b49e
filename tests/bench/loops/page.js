// The loop that a stranger would write around onnxruntime-web. It imports nothing of ours; what it found it says over a
// websocket, which is opened when all is over.

const asked = new URLSearchParams(location.search);

async function measure() {
  const ort = await import(asked.get('bundle'));
  ort.env.wasm.wasmPaths = new URL('./', new URL(asked.get('bundle'), location.href)).href;
  ort.env.wasm.numThreads = Number(asked.get('threads'));
  const model = new Uint8Array(await (await fetch(asked.get('model'))).arrayBuffer());
  const data = new Float32Array(await (await fetch(asked.get('input'))).arrayBuffer());
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  const shape = asked.get('shape').split(',').map(Number);
  const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', data, shape) };

  let started = performance.now();
  await session.run(feeds);
  const first_ms = performance.now() - started;

  let end = performance.now() + 1000 * Number(asked.get('warm_s'));
  while (performance.now() < end) await session.run(feeds);

  const durations = [];
  end = performance.now() + 1000 * Number(asked.get('sample_s'));
  while (performance.now() < end) {
    started = performance.now();
    await session.run(feeds);
    durations.push(performance.now() - started);
  }

  durations.sort((a, b) => a - b);
  const n = durations.length;
  const median_ms = (durations[Math.floor((n - 1) / 2)] + durations[Math.floor(n / 2)]) / 2;
  return { median_ms, n, first_ms, isolated: crossOriginIsolated, threads: ort.env.wasm.numThreads };
}

function say(event) {
  const socket = new WebSocket(location.href.replace(/^http/, 'ws').replace(/\/artifact\/([^/]+)\/.*$/, '/link/$1'));
  socket.onopen = () => socket.send(JSON.stringify(event));
}

try {
  say({ event: 'note', kind: 'progress', text: 'measured', data: await measure() });
} catch (error) {
  say({ event: 'failed', code: 'bare_page', reason: String(error) });
}
