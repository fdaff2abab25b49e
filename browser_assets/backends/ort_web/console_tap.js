/**
 * Where ONNX Runtime's log lines go. Its wasm module binds `console.error` once, when it starts, so the tap must be
 * there before; it passes everything on except while somebody captures.
 */

/** @type {string[] | undefined} */
let captured;

for (const level of /** @type {const} */ (['error', 'warn', 'info', 'log', 'debug'])) {
  const said = console[level].bind(console);
  console[level] = (...words) => {
    if (captured) captured.push(words.join(' '));
    else said(...words);
  };
}

/**
 * What is written to the console while `action` runs; nothing of it reaches the console. What `action` throws passes
 * through.
 * @param {() => Promise<void>} action
 * @returns {Promise<string[]>}
 */
export async function captureConsole(action) {
  /** @type {string[]} */
  const lines = [];
  captured = lines;
  try {
    await action();
  } finally {
    captured = undefined;
  }
  return lines;
}
