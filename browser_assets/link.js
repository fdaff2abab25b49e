/**
 * The page's line to the conductor: one websocket, named by the token in the URL's fragment.
 *
 * When the line breaks it is opened again. The conductor sends its first message on every connection, with the number of
 * frames that it has heard; the page goes on behind those, so nothing is lost and nothing is said twice. Only the first
 * such message is an order. A last word is repeated until it is acknowledged.
 *
 * @typedef {import('./protocol').Up} Up
 * @typedef {import('./protocol').CaseMessage | import('./protocol').Probe} Order
 */

const AGAIN_AFTER_MS = 500;
const ATTEMPTS = 240; // two minutes: a phone that was put away comes back
const ALIVE_EVERY_MS = 1_000;

/**
 * @template T
 * @returns {{promise: Promise<T>, resolve: (value: T) => void}}
 */
function deferred() {
  /** @type {(value: T) => void} */
  let resolve = () => {};
  const promise = new Promise((given) => { resolve = given; });
  return { promise, resolve };
}

export class Link {
  /** @param {Location} place */
  constructor(place) {
    const scheme = place.protocol === 'https:' ? 'wss:' : 'ws:';
    // A reload is another page with the same address; it must not take the place of the one that began the Round.
    this.url = `${scheme}//${place.host}/link/${place.hash.slice(1)}?page=${String(Math.random()).slice(2)}`;
    // A page that was opened by hand says itself which Case it is for.
    const asked = new URLSearchParams(place.search).get('case');
    if (asked !== null) this.url += `&case=${encodeURIComponent(asked)}`;
    /** @type {string[]} everything, since a frame that was sent may be lost with the connection */
    this.said = [];
    this.linked = false;
    /** @type {(event: Up) => void} who else is told of what is said */
    this.overhear = () => {};
    /** @type {string | undefined} */
    this.last = undefined;
    this.stopped = false;
    /** @type {string | null} what the conductor says at the end to who opened the page by hand */
    this.told = null;
    this.attempts = 0;
    /** @type {ReturnType<typeof deferred<Order>>} */
    this.order = deferred();
    /** @type {ReturnType<typeof deferred<void>>} */
    this.end = deferred();
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.beat = undefined;
    this.socket = this.connect();
  }

  /** The case or probe this page is for. @returns {Promise<Order>} */
  get firstMessage() {
    return this.order.promise;
  }

  /** Resolves when nothing more is to be done: stopped, acknowledged, or nobody is there any more. */
  get ended() {
    return this.end.promise;
  }

  /** One `send` costs about 13 µs: never in a timed region. @param {Up} event */
  send(event) {
    if (this.last !== undefined) return;
    this.say(JSON.stringify(event));
    this.overhear(event);
  }

  /**
   * Say the last word; the first one said is the one that counts. Resolves once it was acknowledged.
   * @param {import('./protocol').Done | import('./protocol').Failed | import('./protocol').Refused} event
   * @returns {Promise<void>}
   */
  sendLast(event) {
    if (this.last === undefined) {
      this.keepAlive(false);
      this.last = JSON.stringify(event);
      this.say(this.last);
      this.overhear(event);
    }
    return this.ended;
  }

  /** Signs of life, for phases that take long and are not sampled; off while the loop runs. @param {boolean} on */
  keepAlive(on) {
    clearInterval(this.beat);
    this.beat = on ? setInterval(() => this.send({ event: 'alive' }), ALIVE_EVERY_MS) : undefined;
  }

  /**
   * Deliver one output tensor. Throws an Error with the server's answer when it does not take it.
   * @param {string} url
   * @param {Uint8Array} bytes
   */
  async deliver(url, bytes) {
    const body = /** @type {Uint8Array<ArrayBuffer>} */ (bytes);
    const headers = { 'Content-Type': 'application/octet-stream' };
    const response = await fetch(url, { method: 'POST', body, headers });
    if (!response.ok) throw new Error(`the output was not taken: ${response.status} ${response.statusText}`);
  }

  /** @param {string} text */
  say(text) {
    this.said.push(text);
    if (this.linked && this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  /** The conductor is there and has heard so many frames. @param {number} heard */
  goOn(heard) {
    this.attempts = 0;
    this.linked = true;
    const unheard = this.said.slice(heard);
    if (this.last !== undefined && unheard.length === 0) unheard.push(this.last);
    for (const text of unheard) this.socket.send(text);
  }

  /** @returns {WebSocket} */
  connect() {
    const socket = new WebSocket(this.url);
    socket.onmessage = ({ data }) => this.hear(JSON.parse(data));
    socket.onclose = () => this.reconnect();
    return socket;
  }

  /** @param {import('./protocol').Down} message */
  hear(message) {
    if (message.event === 'case' || message.event === 'probe') {
      this.order.resolve(message);
      this.goOn(message.heard ?? 0);
    } else if (message.event === 'stop' || this.last !== undefined) {
      if (message.event === 'ack') this.told = message.said;
      this.finish();
    }
  }

  reconnect() {
    this.linked = false;
    if (this.stopped) return;
    this.attempts += 1;
    if (this.attempts > ATTEMPTS) this.finish();
    else setTimeout(() => { this.socket = this.connect(); }, AGAIN_AFTER_MS);
  }

  finish() {
    this.stopped = true;
    this.keepAlive(false);
    this.end.resolve();
    this.socket.close();
  }
}
