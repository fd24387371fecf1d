// Tables that can be sorted and filtered. Rows stay the server's.
import { button, make } from './dom.js';

/** Rows that are shown until all are asked for. */
const FIRST = 15;

const states = new Map();

function stateOf(table) {
  let state = states.get(table.id);
  if (!state) {
    state = { column: table.dataset.sort, descending: true, filter: '', all: false };
    states.set(table.id, state);
  }
  return state;
}

const columnsOf = (table) => [...table.tHead.rows[0].cells];

/** A cell's figure, or its text; what is not known comes last either way. */
function keyOf(row, index) {
  const cell = row.cells[index];
  if (cell.dataset.v === undefined) return cell.textContent.toLowerCase();
  return cell.dataset.v === '' ? null : Number(cell.dataset.v);
}

function compare(one, other, descending) {
  if (one === null || other === null) return (one === null) - (other === null);
  const order = typeof one === 'number' ? one - other : one < other ? -1 : one > other ? 1 : 0;
  return descending ? -order : order;
}

/** Sorts and filters the rows as was chosen, in the page or in a document that is about to be put there. */
export function arrange(table) {
  const state = stateOf(table);
  const index = columnsOf(table).findIndex((head) => head.dataset.col === state.column);
  const body = table.tBodies[0];
  const rows = [...body.rows];
  if (index >= 0) {
    const keys = new Map(rows.map((row) => [row, keyOf(row, index)]));
    const sorted = rows.toSorted((one, other) => compare(keys.get(one), keys.get(other), state.descending));
    if (sorted.some((row, at) => row !== rows[at])) body.append(...sorted);
  }
  const wanted = state.filter.toLowerCase();
  let found = 0;
  for (const row of body.rows) {
    const isFound = wanted === '' || row.textContent.toLowerCase().includes(wanted);
    if (isFound) found += 1;
    row.toggleAttribute('hidden', !isFound || (!state.all && found > FIRST));
  }
  return [found, rows.length];
}

/** Gives a table heads that sort and a field that filters, once. */
export function enhance(table) {
  if (!table || table.tHead.dataset.js !== undefined) return;
  const state = stateOf(table);
  const told = make('span', { class: 'told', role: 'status' });
  const update = () => {
    // The rows may have gone and come again meanwhile.
    table = document.getElementById(table.id) ?? table;
    for (const head of columnsOf(table)) {
      const is = head.dataset.col === state.column;
      if (is) head.setAttribute('aria-sort', state.descending ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    }
    const [found, all] = arrange(table);
    told.textContent = found === all ? `${all}` : `${found} of ${all}`;
    more.hidden = found <= FIRST;
    more.textContent = state.all ? 'Show fewer' : `Show all ${found}`;
  };
  const more = button('', () => {
    state.all = !state.all;
    update();
  }, { class: 'more', 'data-js': true });
  for (const head of columnsOf(table)) {
    if (head.dataset.col === 'trend') continue;
    const sort = () => {
      state.descending = state.column === head.dataset.col ? !state.descending : head.classList.contains('n');
      state.column = head.dataset.col;
      update();
    };
    head.replaceChildren(button(head.textContent, sort, { title: head.title }));
    head.removeAttribute('title');
  }
  table.tHead.dataset.js = '';
  const below = table.closest('section').querySelector('.rest');
  below.replaceChildren(more);
  below.dataset.js = '';
  const tools = document.querySelector(`.tools[data-for="${table.id}"]`);
  if (tools) {
    const filter = make('input', { type: 'search', placeholder: 'Filter', 'aria-label': `Filter ${tools.previousElementSibling.textContent.toLowerCase()}`, value: state.filter });
    filter.addEventListener('input', () => {
      state.filter = filter.value;
      update();
    });
    tools.replaceChildren(told, filter);
    tools.dataset.js = '';
  }
  update();
}
