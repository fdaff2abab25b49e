/**
 * A device that nobody drives: it has opened our URL, waits here, and shows each Round's page in a frame.
 *
 * The Round's page is a fresh document each time; what must outlive it (the line to the conductor, the wake lock, what
 * has come of it so far) is out here. Both share one thread, so nothing is done here while a Round is on, unless the
 * conductor or the person speaks. The conductor says everything at once, each time: a line that was cut has missed nothing.
 *
 * @typedef {import('./protocol').State} State
 * @typedef {import('./protocol').Taken} Taken
 * @typedef {import('./protocol').Visitor} Visitor
 */

import { LobbyView } from './attach_view.js';
import { Awake } from './awake.js';

const AGAIN_AFTER_MS = 500;
const TAKEN_AGAIN_AFTER_MS = 3_000;

const view = new LobbyView(document);
const awake = new Awake(navigator, document, (text, needsTap) => view.showAwake(text, needsTap));
const visitor = await introduce();
/** @type {string | undefined} the URL of the Round on show */
let showing;
let over = false;

view.showVisitor(visitor, location);
view.onTap(() => awake.keep());
document.addEventListener('visibilitychange', () => { if (!over && !document.hidden) awake.keep(); });
connect();

/** What this browser says of itself. @returns {Promise<Visitor>} */
async function introduce() {
  const { userAgentData, gpu, ml } = /** @type {any} */ (navigator);
  const told = await userAgentData?.getHighEntropyValues(['fullVersionList']).catch(() => undefined);
  const brands = /** @type {{brand: string, version: string}[]} */ (told?.fullVersionList ?? userAgentData?.brands ?? []);
  const numbers = crypto.getRandomValues(new Uint8Array(16));
  return {
    event: 'visitor',
    page: Array.from(numbers, (each) => each.toString(16).padStart(2, '0')).join(''),
    user_agent: navigator.userAgent.slice(0, 1000),
    brands: brands.slice(0, 10).map(({ brand, version }) => `${brand} ${version}`.slice(0, 100)),
    screen: `${screen.width}×${screen.height} @${devicePixelRatio}`,
    visibility: document.visibilityState,
    secure: isSecureContext,
    isolated: globalThis.crossOriginIsolated === true,
    webgpu: gpu !== undefined,
    webnn: ml !== undefined,
  };
}

function connect() {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(`${scheme}//${location.host}/lobby/${location.hash.slice(1)}`);
  let again_ms = AGAIN_AFTER_MS;
  socket.onopen = () => socket.send(JSON.stringify(visitor));
  socket.onmessage = ({ data }) => {
    const message = /** @type {State | Taken} */ (JSON.parse(data));
    if (message.event === 'state') {
      follow(message);
    } else {
      again_ms = TAKEN_AGAIN_AFTER_MS;
      view.showLine('taken');
    }
  };
  socket.onclose = () => {
    if (over) return;
    if (again_ms === AGAIN_AFTER_MS) view.showLine('lost');
    setTimeout(connect, again_ms);
  };
}

/** Do as the conductor says; what is done already is not done again. @param {State} state */
function follow(state) {
  over = state.over;
  const { order } = state;
  if (order?.url !== showing) view.showRound(order);
  showing = order?.url;
  view.showState(state);
  if (over) awake.release();
  else awake.keep();
}
