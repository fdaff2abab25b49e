/**
 * What the attach page shows. Nothing moves by itself: what is painted during a Round would fall into its samples.
 *
 * @typedef {import('./protocol').State} State
 * @typedef {import('./protocol').Order} Order
 * @typedef {import('./protocol').Visitor} Visitor
 */

const LINES = {
  here: { text: 'connected', mood: 'good' },
  lost: { text: 'connection lost, trying again', mood: 'bad' },
  taken: { text: 'another browser has this place', mood: 'bad' },
  over: { text: 'over', mood: 'good' },
};

/** A long name breaks behind its slashes. @param {string} text */
function breakable(text) {
  return text.replaceAll('/', '/\u200b');
}

export class LobbyView {
  /** @param {Document} page */
  constructor(page) {
    this.page = page;
    /** @type {Map<string, HTMLElement>} */
    this.facts = new Map();
  }

  /** @param {() => void} tapped */
  onTap(tapped) {
    this.get('awake').addEventListener('click', tapped);
  }

  /** @param {keyof typeof LINES} state */
  showLine(state) {
    const { text, mood } = LINES[state];
    this.get('line').textContent = text;
    this.get('line').className = mood;
    this.get('progress').hidden = state === 'taken';
    if (state === 'taken') {
      this.get('headline').textContent = 'This place is taken';
      this.get('what').textContent = 'Another browser has opened the same URL. Close the page there and this one takes over; '
        + 'for a second device, start with --device NAME,NAME.';
    }
  }

  /** @param {Visitor} visitor @param {Location} place */
  showVisitor(visitor, place) {
    this.setFact('Browser', visitor.brands.filter((each) => !/not.{0,2}a.{0,2}brand/i.test(each)).join(', ') || visitor.user_agent);
    this.setFact('WebGPU', visitor.webgpu ? 'there' : 'not there');
    this.setFact('WebNN', visitor.webnn ? 'there' : 'not there');
    this.setFact('Isolation', visitor.isolated ? 'yes: fine clock, shared memory' : 'no: coarse clock, one thread');
    if (visitor.secure) return;
    const port = place.port || '80';
    this.get('advice').hidden = false;
    this.get('advice-text').textContent = 'This page came over http and not from loopback, which is no secure context: the '
      + 'browser hides WebGPU and WebNN, gives wasm one thread and a coarse clock. Start again with --certificate FILE '
      + `--key FILE; or forward the port (on a cable: adb reverse tcp:${port} tcp:${port}) and open the URL with 127.0.0.1.`;
  }

  /** @param {string} text @param {boolean} needsTap */
  showAwake(text, needsTap) {
    this.setFact('Screen', text);
    this.get('awake').hidden = !needsTap;
  }

  /** The Round's page in a frame of its own; the one before it goes. @param {Order | null} order */
  showRound(order) {
    const place = this.get('frame');
    place.replaceChildren();
    if (order === null) return;
    const frame = this.page.createElement('iframe');
    frame.title = 'The page of the round';
    frame.src = order.url;
    place.append(frame);
  }

  /** @param {State} state */
  showState(state) {
    const { order, over, ended, rounds } = state;
    this.showLine(over ? 'over' : 'here');
    this.get('device').textContent = state.device || 'Attached device';
    this.page.title = over ? 'Over' : order ? `Round ${order.number} of ${rounds}` : 'Waiting';
    this.get('headline').textContent = over ? 'The run is over. You may close this page.'
      : order ? `Round ${order.number} of ${rounds}` : ended ? 'Waiting for the next round' : 'Waiting for the first round';
    this.get('what').textContent = over ? 'The results are in the terminal where it was started.'
      : order ? breakable(order.what) : 'Leave this page open and in front; it is told what to do.';
    const bar = /** @type {HTMLProgressElement} */ (this.get('progress'));
    bar.max = Math.max(1, rounds);
    bar.value = ended;
    bar.hidden = over; // what is unsupported is asked once: there may have been fewer rounds than could be
    this.showTold(state);
  }

  /** @param {State} state */
  showTold({ told, cases, over }) {
    this.get('results').hidden = told.length === 0;
    this.get('told').replaceChildren(...[...told].reverse().map(({ what, outcome, reason }) => {
      const item = this.item(what);
      const word = this.page.createElement('b');
      word.className = outcome;
      word.textContent = `${outcome} `;
      item.prepend(word);
      if (reason !== null) item.append(this.why(reason));
      return item;
    }));
    this.get('coming').hidden = over || cases.length === 0;
    this.get('cases').replaceChildren(...cases.map((each) => this.item(each)));
  }

  /** @param {string} text */
  item(text) {
    const item = this.page.createElement('li');
    item.textContent = breakable(text);
    return item;
  }

  /** @param {string} reason */
  why(reason) {
    const words = this.page.createElement('span');
    words.className = 'why';
    words.textContent = reason;
    return words;
  }

  /** @param {string} name @param {string} text */
  setFact(name, text) {
    let field = this.facts.get(name);
    if (field === undefined) {
      const term = this.page.createElement('dt');
      term.textContent = name;
      field = this.page.createElement('dd');
      this.get('facts').append(term, field);
      this.facts.set(name, field);
    }
    field.textContent = text;
  }

  /** @param {string} id @returns {HTMLElement} */
  get(id) {
    const found = this.page.getElementById(id);
    if (found === null) throw new Error(`the page has no #${id}`);
    return found;
  }
}
