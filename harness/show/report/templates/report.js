// Drawings, one filter for all tables, columns that sort. Without this script the page still has every number.
const specs = JSON.parse(document.getElementById('figures')?.textContent ?? '{}');

// The printed page is drawn at its own width, and shows what was folded away.
addEventListener('beforeprint', () => document.querySelectorAll('details').forEach((each) => { each.open = true; }));

const drawings = [...document.querySelectorAll('.drawing')].map(async (place) => {
  // `ast`: expressions are interpreted, never evaluated as code, which this page's policy forbids.
  const spec = specs[place.dataset.figure];
  // On a phone a name may take no more than a third of the drawing.
  spec.config.axisY.labelLimit = Math.min(spec.config.axisY.labelLimit, place.clientWidth / 3);
  const { view } = await window.vegaEmbed(place, spec, {
    renderer: 'svg', actions: false, ast: true, tooltip: { disableDefaultStyle: true, id: 'tip' },
  });
  view.addEventListener('click', (_, item) => { if (item?.datum?.source) location.hash = item.datum.source; });
});

const input = document.getElementById('find');
const tables = [...document.querySelectorAll('main table')];
const rows = tables.flatMap((table) => [...table.tBodies[0].rows]);
if (input && rows.length > 12) {
  input.form.classList.add('on');
  input.form.addEventListener('submit', (event) => event.preventDefault());
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, place) => {
      row.hidden = !words.every((word) => texts[place].includes(word));
      shown += row.hidden ? 0 : 1;
    });
    document.getElementById('found').textContent = words.length ? `${shown} of ${rows.length} rows` : '';
  };
  let waiting;
  input.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(filter, 80); });
  // A link to a row that the filter hides must lead somewhere.
  addEventListener('hashchange', () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row?.hidden) { input.value = ''; filter(); row.scrollIntoView(); }
  });
}

for (const table of tables) {
  if (table.tBodies[0].rows.length < 3) continue;
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener('click', () => sort(table, head, place));
  });
}

/** Numbers by value and what has none last, both ways; words by the alphabet. */
function sort(table, head, place) {
  const up = head.getAttribute('aria-sort') !== 'ascending';
  for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
  const isNumber = head.classList.contains('n');
  const keyed = [...table.tBodies[0].rows].map((row) => {
    const cell = row.cells[place];
    const value = Number.parseFloat(cell.dataset.v);
    return { row, key: isNumber ? value : cell.textContent, none: isNumber && Number.isNaN(value) };
  });
  const order = new Intl.Collator(undefined, { numeric: true });
  keyed.sort((a, b) => a.none - b.none || (a.none ? 0 : (up ? 1 : -1) * (isNumber ? a.key - b.key : order.compare(a.key, b.key))));
  table.tBodies[0].append(...keyed.map((each) => each.row));
}

// What tests and whoever prints wait for.
Promise.allSettled(drawings).then((ends) => {
  const failed = ends.find((end) => end.status === 'rejected');
  document.documentElement.dataset.drawn = failed ? `failed: ${failed.reason}` : 'yes';
});
