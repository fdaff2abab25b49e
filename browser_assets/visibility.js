/**
 * Tells when the page is hidden during a Round: browsers slow such pages down, and a person may look away.
 *
 * @typedef {import('./protocol').Up} Up
 */

/**
 * @param {Document} page
 * @param {() => number} nowMs
 * @param {(event: Up) => void} send
 */
export function tellWhenHidden(page, nowMs, send) {
  let since_ms = nowMs();
  const tell = () => {
    if (page.hidden) since_ms = nowMs();
    const hidden_ms = Math.round(nowMs() - since_ms);
    const text = page.hidden
      ? 'the page was hidden during the round: browsers slow such pages down'
      : `the page was hidden for ${(hidden_ms / 1000).toFixed(1)} s during the round`;
    const data = page.hidden ? { code: 'hidden' } : { code: 'hidden', hidden_ms };
    send({ event: 'note', kind: 'warning', text, data });
  };
  if (page.hidden) tell();
  page.addEventListener('visibilitychange', tell);
}
