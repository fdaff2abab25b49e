/**
 * Keeps a device's screen on while it has something to do, where its browser can: a page that nobody sees is slowed down.
 */

export class Awake {
  /**
   * @param {Navigator} navigator
   * @param {Document} page
   * @param {(text: string, needsTap: boolean) => void} say
   */
  constructor(navigator, page, say) {
    this.locks = navigator.wakeLock;
    this.page = page;
    this.say = say;
    this.wanted = false;
    this.asking = false; // two locks at once, and one of them would never be let go
    /** @type {WakeLockSentinel | undefined} */
    this.lock = undefined;
  }

  /** Ask, unless it is kept already. A browser takes it back whenever the page is hidden; then ask again. */
  async keep() {
    this.wanted = true;
    if (this.lock !== undefined && !this.lock.released) return;
    if (this.locks === undefined) {
      this.say('this browser cannot keep it on: set the display not to sleep', false);
      return;
    }
    if (this.page.hidden || this.asking) return;
    this.asking = true;
    try {
      this.lock = await this.locks.request('screen');
      this.lock.onrelease = () => { if (this.wanted) this.say('it may go off: the browser has let go', true); };
      this.say('is kept on', false);
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      this.say(`it may go off: ${words}`, true);
    } finally {
      this.asking = false;
    }
  }

  async release() {
    this.wanted = false;
    await this.lock?.release().catch(() => {}); // the browser may have taken it back just now
    this.say('may go off: nothing is left to do', false);
  }
}
