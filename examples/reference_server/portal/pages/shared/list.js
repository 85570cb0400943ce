// SPDX-License-Identifier: Apache-2.0
// Lists of the API: filters kept in the address, pages by next_cursor, rows that can be replaced when something happens.
import {h, replace} from './dom.js';
import {dayStart} from './format.js';
import {Router} from './router.js';
import {button, empty, explain, failed, field, input, loading, select, table, tableRow} from './ui.js';

const PAGE = 50;

// filters: [{name, label, type: 'text' | 'date' | 'select', options, placeholder, to(value, values) -> {query} | null}]
function filterForm(filters, values, apply) {
  const controls = new Map();
  for (const filter of filters) {
    const value = values[filter.name] ?? '';
    const control =
      filter.type === 'select'
        ? select([['', filter.all ?? 'All'], ...filter.options], value)
        : input({
            type: filter.type === 'date' ? 'date' : 'text',
            placeholder: filter.placeholder,
            inputmode: filter.inputmode,
            name: filter.name,
          });
    control.value = value;
    controls.set(filter.name, control);
  }
  const read = () => Object.fromEntries([...controls].map(([name, control]) => [name, control.value.trim()]));
  const error = h('p', {class: 'error', role: 'alert'});
  const form = h(
    'form',
    {
      class: 'filters',
      role: 'search',
      'aria-label': 'Filter the list',
      novalidate: true,
      on: {
        submit: (event) => {
          event.preventDefault();
          error.textContent = apply(read()) ?? '';
        },
      },
    },
    filters.map((filter) => field(filter.label, controls.get(filter.name))),
    h(
      'div',
      {class: 'actions'},
      h('button', {class: 'button primary'}, 'Filter'),
      button('Clear', () => {
        for (const control of controls.values()) control.value = '';
        error.textContent = apply(read()) ?? '';
      }),
    ),
    error,
  );
  // What is chosen from few takes effect at once.
  for (const filter of filters)
    if (filter.type === 'select') controls.get(filter.name).addEventListener('change', () => form.requestSubmit());
  return form;
}

// From days in the viewer's zone to the server's `from` and `before`; the last day is included.
export const DAYS = [
  {name: 'from', label: 'From', type: 'date', to: (day) => (dayStart(day) ? {from: dayStart(day)} : null)},
  {name: 'to', label: 'To', type: 'date', to: (day) => (dayStart(day) ? {before: dayStart(day, 1)} : null)},
];

// list(ctx, {caption, place, columns, key(row), filters, fixed, emptyTitle, emptyText, bar, changed(rows)}) -> {element, query(), reload(),
// update(key, row), rows}
export function list(ctx, options) {
  const {caption, place, columns, key, filters = [], fixed = {}, changed = () => {}} = options;
  let values = Object.fromEntries(filters.map(({name}) => [name, ctx.query?.[name] ?? '']));
  let rows = [];
  let next = null;
  let asked = 0;
  const body = h('div', {class: 'area'});

  // The server's query; a string: what is wrong with the filters.
  function query() {
    let made = {...fixed};
    for (const filter of filters) {
      const value = values[filter.name];
      if (!value) continue;
      const part = filter.to ? filter.to(value, values) : {[filter.name]: value};
      if (part === null) return `${filter.label}: “${value}” cannot be read.`;
      if (typeof part === 'string') return part;
      made = {...made, ...part};
    }
    return made;
  }

  function render() {
    if (!rows.length) {
      const filtered = Object.values(values).some(Boolean);
      replace(
        body,
        filtered
          ? empty('Nothing matches', 'No entry fits these filters.')
          : empty(options.emptyTitle ?? 'Nothing here yet', options.emptyText),
      );
    } else {
      const more = next && button('Load more', loadMore);
      replace(
        body,
        table(caption, columns, rows),
        h(
          'div',
          {class: 'pager'},
          h('span', {class: 'note'}, `${rows.length} shown${next ? '' : ', all there are'}`),
          more,
        ),
      );
    }
    changed(rows);
  }

  async function loadFirst(quiet = false) {
    const wanted = query();
    if (typeof wanted === 'string') return;
    const turn = ++asked;
    if (!quiet) replace(body, loading());
    body.setAttribute('aria-busy', 'true');
    try {
      const page = await ctx.api.get(place, {...wanted, limit: PAGE}, {signal: ctx.signal});
      if (turn !== asked || ctx.signal.aborted) return;
      rows = page.data;
      next = page.next_cursor;
      render();
      if (!quiet && filters.length) ctx.announce(rows.length ? `${rows.length} shown` : 'Nothing matches');
    } catch (error) {
      if (turn !== asked || ctx.signal.aborted || error.name === 'AbortError') return;
      if (quiet) ctx.notice(explain(error), 'bad');
      else
        replace(
          body,
          failed(error, () => loadFirst()),
        );
    } finally {
      if (turn === asked) body.removeAttribute('aria-busy');
    }
  }

  async function loadMore(event) {
    const pressed = event.currentTarget;
    if (pressed.getAttribute('aria-disabled') === 'true') return;
    pressed.setAttribute('aria-disabled', 'true');
    const turn = ++asked;
    try {
      const page = await ctx.api.get(place, {...query(), limit: PAGE, cursor: next}, {signal: ctx.signal});
      if (turn !== asked || ctx.signal.aborted) return;
      const had = rows.length;
      const known = new Set(rows.map(key));
      rows = rows.concat(page.data.filter((row) => !known.has(key(row))));
      next = page.next_cursor;
      render();
      ctx.announce(`${rows.length - had} more`);
      body.querySelectorAll('tbody tr')[had]?.querySelector('a, button, input')?.focus();
    } catch (error) {
      pressed.removeAttribute('aria-disabled');
      if (error.name !== 'AbortError') ctx.notice(explain(error), 'bad');
    }
  }

  function apply(read) {
    const before = values;
    values = read;
    const wanted = query();
    if (typeof wanted === 'string') {
      values = before;
      return wanted;
    }
    if (ctx.query) Router.keepQuery(values);
    loadFirst();
    return null;
  }

  const element = h(
    'div',
    {class: 'list'},
    filters.length > 0 && filterForm(filters, values, apply),
    options.bar,
    body,
  );
  const ready = loadFirst();
  return {
    element,
    query,
    ready,
    reload: loadFirst,
    get rows() {
      return rows;
    },
    // A row that is shown is replaced where it stands; whether it was.
    update(id, row) {
      const index = rows.findIndex((other) => key(other) === id);
      if (index < 0) return false;
      rows[index] = row;
      const old = body.querySelectorAll('tbody tr')[index];
      if (old) {
        const made = tableRow(columns, row);
        made.classList.add('changed');
        const focused = old.contains(document.activeElement);
        old.replaceWith(made);
        if (focused) made.querySelector('a, button, input')?.focus();
      }
      return true;
    },
  };
}
