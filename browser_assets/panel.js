/**
 * The plain status panel. It is painted at most once a second, outside the timed region, and whoever paints waits
 * until the frame is drawn: a paint that comes later would fall into somebody's sample.
 */

const PAINT_EVERY_MS = 1_000;
const FRAME_PATIENCE_MS = 100;

export class Panel {
  /** @param {Document} page */
  constructor(page) {
    this.page = page;
    this.paintedAt = -Infinity;
  }

  /**
   * Show the phase and the number of samples so far, if it is time to; in any case let the page breathe once, so that
   * messages get in.
   * @param {string} phase
   * @param {number} n
   */
  async show(phase, n) {
    if (performance.now() - this.paintedAt < PAINT_EVERY_MS) {
      await turn();
      return;
    }
    this.set('phase', phase);
    this.set('n', n > 0 ? String(n) : '');
    await frame();
    this.paintedAt = performance.now();
  }

  /** Write at once, outside all timing. @param {string} id @param {string} text */
  set(id, text) {
    const field = this.page.getElementById(id);
    if (field) field.textContent = text;
  }
}

/** One turn of the event loop; not a timer, which a page in the background gets once a second. @returns {Promise<void>} */
function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** Until a frame is drawn; a hidden page draws none. @returns {Promise<void>} */
function frame() {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, FRAME_PATIENCE_MS);
    requestAnimationFrame(() => {
      clearTimeout(late);
      turn().then(resolve);
    });
  });
}
