// Drawings, one filter for all tables, columns that sort. Without this script the page still has every number.
/** @type {Record<string, any>} */
const specs = JSON.parse(document.getElementById('figures')?.textContent ?? '{}');
/** @type {(place: HTMLElement, spec: object, options: object) => Promise<{ view: any }>} */
const vegaEmbed = /** @type {any} */ (window).vegaEmbed;

// The printed page shows what was folded away.
addEventListener('beforeprint', () => document.querySelectorAll('details').forEach((each) => { each.open = true; }));

/** @type {HTMLElement[]} */
const places = [...document.querySelectorAll('.drawing')].filter((each) => each instanceof HTMLElement);
const drawings = places.map(async (place) => {
  const spec = specs[place.dataset.figure ?? ''];
  // On a phone a name may take no more than a third of the drawing.
  spec.config.axisY.labelLimit = Math.min(spec.config.axisY.labelLimit, place.clientWidth / 3);
  const { view } = await vegaEmbed(place, spec, {
    // `ast`: expressions are interpreted, never evaluated as code, which this page's policy forbids.
    renderer: 'svg', actions: false, ast: true, tooltip: { disableDefaultStyle: true, id: 'tip' },
  });
  view.addEventListener('click', (/** @type {unknown} */ _, /** @type {any} */ item) => {
    if (item?.datum?.source) location.hash = item.datum.source;
  });
});

const tables = [...document.querySelectorAll('table')];
const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
const input = document.getElementById('find');
if (input instanceof HTMLInputElement && rows.length > 12) filterBy(input);

/** @param {HTMLInputElement} asked where the words are typed that a row must have */
function filterBy(asked) {
  const texts = rows.map((row) => (row.textContent ?? '').toLowerCase());
  const found = document.getElementById('found');
  const filter = () => {
    const words = asked.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, place) => {
      row.hidden = !words.every((word) => texts[place].includes(word));
      shown += row.hidden ? 0 : 1;
    });
    if (found) found.textContent = words.length ? `${shown} of ${rows.length} rows` : '';
  };
  let waiting = 0;
  asked.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = window.setTimeout(filter, 80);
  });
  asked.form?.classList.add('on');
  asked.form?.addEventListener('submit', (event) => event.preventDefault());
  // A link to a row that the filter hides must lead somewhere.
  addEventListener('hashchange', () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row?.hidden) {
      asked.value = '';
      filter();
      row.scrollIntoView();
    }
  });
}

for (const table of tables) {
  if (table.tBodies[0].rows.length < 3) continue;
  [...(table.tHead?.rows[0].cells ?? [])].forEach((head, place) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener('click', () => sort(table, head, place));
  });
}

/**
 * Numbers by value and what has none last, both ways; words by the alphabet.
 * @param {HTMLTableElement} table
 * @param {HTMLTableCellElement} head
 * @param {number} place of the column
 */
function sort(table, head, place) {
  const up = head.getAttribute('aria-sort') !== 'ascending';
  for (const other of table.tHead?.rows[0].cells ?? []) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
  const isNumber = head.classList.contains('n');
  const order = new Intl.Collator(undefined, { numeric: true });
  const keyed = [...table.tBodies[0].rows].map((row) => {
    const cell = row.cells[place];
    return { row, value: Number.parseFloat(cell.dataset.v ?? ''), text: cell.textContent ?? '' };
  });
  keyed.sort((a, b) => {
    if (!isNumber) return (up ? 1 : -1) * order.compare(a.text, b.text);
    const none = Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value));
    return none || (Number.isNaN(a.value) ? 0 : (up ? 1 : -1) * (a.value - b.value));
  });
  table.tBodies[0].append(...keyed.map((each) => each.row));
}

// What whoever prints or tests waits for.
Promise.allSettled(drawings).then((ends) => {
  const failed = ends.find((end) => end.status === 'rejected');
  document.documentElement.dataset.drawn = failed ? `failed: ${failed.reason}` : 'yes';
});
