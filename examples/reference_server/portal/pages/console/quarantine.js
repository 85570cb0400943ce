// SPDX-License-Identifier: Apache-2.0
// What could not be taken, and what was given up: looked at, tried again, or discarded.
import {h, replace} from '../shared/dom.js';
import {bytes, integer, prettyJson, words} from '../shared/format.js';
import {list} from '../shared/list.js';
import {head} from '../shared/shell.js';
import {
  area,
  badge,
  button,
  check,
  code,
  confirm,
  empty,
  field,
  openDialog,
  select,
  when,
  workButton,
} from '../shared/ui.js';
import {queuesOf} from './overview.js';

const MAX_AT_ONCE = 100;

// A list with boxes and two things that are done with what is chosen: work(ids) -> what is said then.
function chooser(ctx, {place, caption, columns, fixed, emptyTitle, emptyText, name, works}) {
  const chosen = new Set();
  const bar = h('div', {class: 'actions', role: 'group', 'aria-label': 'What is done with the selected ones'});
  const buttons = works.map(({text, kind, work}) =>
    workButton(
      ctx,
      text,
      async () => {
        const said = await work([...chosen]);
        if (said === null) return;
        chosen.clear();
        ctx.notice(said);
        await shown.reload(true);
        draw();
      },
      {kind},
    ),
  );
  const every = button('Select all shown', () => {
    const full = chosen.size > 0;
    chosen.clear();
    if (!full) for (const row of shown.rows.slice(0, MAX_AT_ONCE)) chosen.add(row.id);
    for (const box of shown.element.querySelectorAll('tbody input[type=checkbox]')) box.checked = chosen.has(box.value);
    draw();
  });
  function draw() {
    for (const made of buttons) made.disabled = chosen.size === 0;
    every.textContent = chosen.size ? 'Select none' : 'Select all shown';
    replace(bar, every, buttons, chosen.size > 0 && h('span', {class: 'note'}, `${chosen.size} selected`));
  }
  const pick = {
    label: 'Select',
    kind: 'tight',
    head: h('span', {class: 'hidden'}, 'Select'),
    cell: (row) => {
      const {box, element} = check(h('span', {class: 'hidden'}, `Select ${name(row)}`), chosen.has(row.id), {
        value: row.id,
      });
      box.addEventListener('change', () => {
        if (box.checked) chosen.add(row.id);
        else chosen.delete(row.id);
        draw();
      });
      return element;
    },
  };
  const shown = list(ctx, {
    place,
    caption,
    fixed,
    bar,
    columns: [pick, ...columns],
    key: (row) => row.id,
    emptyTitle,
    emptyText,
    changed: (rows) => {
      const known = new Set(rows.map((row) => row.id));
      for (const id of [...chosen]) if (!known.has(id)) chosen.delete(id);
      bar.hidden = rows.length === 0;
      draw();
    },
  });
  return shown;
}

function look(row) {
  openDialog('Quarantined event', (close) => [
    h('p', null, badge(row.cause, words(row.cause), 'bad'), ' ', row.detail),
    row.raw_encoding && h('p', {class: 'note'}, `It is not text: shown in ${row.raw_encoding}.`),
    h('pre', {tabindex: '0', 'aria-label': 'The event as it came'}, row.raw_encoding ? row.raw : prettyJson(row.raw)),
    h('div', {class: 'actions'}, button('Close', close, {kind: 'primary'})),
  ]);
}

export function quarantine(ctx) {
  const shown = chooser(ctx, {
    place: `${ctx.base}/quarantine`,
    caption: 'Quarantined events',
    name: (row) => row.id.slice(0, 12),
    columns: [
      {
        label: 'Event',
        kind: 'main',
        cell: (row) =>
          button(`${row.id.slice(0, 12)}…`, () => look(row), {
            kind: 'small',
            'aria-label': `Look at ${row.id.slice(0, 12)}`,
            title: row.id,
          }),
      },
      {label: 'Cause', cell: (row) => badge(row.cause, words(row.cause), 'bad')},
      {label: 'Detail', kind: 'wrap', cell: (row) => row.detail},
      {label: 'From', cell: (row) => `${row.format ?? ''} ${row.position ?? ''}`.trim() || '–'},
      {label: 'Size', kind: 'number', cell: (row) => bytes(row.raw_size)},
    ],
    emptyTitle: 'Nothing is in quarantine',
    emptyText: 'Events that cannot be read, or that break a rule of their type, are kept here, with the reason.',
    works: [
      {
        text: 'Redrive',
        kind: 'primary',
        work: async (ids) => {
          const {outcomes} = await ctx.api.post(`${ctx.base}/quarantine/redrive`, {ids});
          const counts = new Map();
          for (const {status} of outcomes) counts.set(status, (counts.get(status) ?? 0) + 1);
          return `Tried again: ${[...counts].map(([status, count]) => `${count} ${words(status).toLowerCase()}`).join(', ')}.`;
        },
      },
      {
        text: 'Discard',
        kind: 'danger',
        work: async (ids) => {
          if (
            (await confirm(
              'Discard these events?',
              `${ids.length} events are removed for good. None of them was settled.`,
              'Discard',
              {danger: true},
            )) === null
          )
            return null;
          const {discarded} = await ctx.api.post(`${ctx.base}/quarantine/discard`, {ids});
          return `${integer(discarded)} discarded.`;
        },
      },
    ],
  });
  return [
    head('Quarantine', {lead: 'Redrive puts events through again, after what was wrong is mended.'}),
    shown.element,
  ];
}

export function deadLetters(ctx) {
  const place = h('div', {class: 'area'});
  function draw(queue) {
    const shown = chooser(
      {...ctx, query: null},
      {
        place: `${ctx.base}/dead-letters`,
        caption: 'Dead letters',
        fixed: {queue},
        name: (row) => row.id,
        columns: [
          {label: 'Task', kind: 'main', cell: (row) => code(row.id)},
          {label: 'Queue', cell: (row) => row.queue ?? queue},
          {label: 'Cause', cell: (row) => words(row.cause ?? row.reason)},
          {label: 'Last error', kind: 'wrap', cell: (row) => row.last_error ?? row.detail ?? '–'},
          {label: 'Attempts', kind: 'number', cell: (row) => integer(row.attempts ?? '–')},
          {label: 'Died', cell: (row) => when(row.died_at ?? row.at)},
        ],
        emptyTitle: 'No dead letters',
        emptyText: queue ? `Nothing of ${queue} was given up.` : 'No task was given up.',
        works: [
          {
            text: 'Redrive',
            kind: 'primary',
            work: async (ids) => {
              await ctx.api.post(`${ctx.base}/dead-letters/redrive`, {
                queue: queue || shown.rows.find((row) => ids.includes(row.id))?.queue,
                ids,
              });
              return `${ids.length} are tried again.`;
            },
          },
          {
            text: 'Discard',
            kind: 'danger',
            work: async (ids) => {
              if (
                (await confirm('Discard these dead letters?', `${ids.length} tasks are removed for good.`, 'Discard', {
                  danger: true,
                })) === null
              )
                return null;
              await ctx.api.post(`${ctx.base}/dead-letters/discard`, {
                queue: queue || shown.rows.find((row) => ids.includes(row.id))?.queue,
                ids,
              });
              return `${ids.length} discarded.`;
            },
          },
        ],
      },
    );
    replace(place, shown.element);
  }
  const chosen = area(
    ctx,
    async () => queuesOf((await ctx.api.get(`${ctx.base}/overview`, {}, {signal: ctx.signal})).scheduler),
    (queues) => {
      if (!queues.length) return empty('No queues');
      const first = queues.find((q) => Number(q.dead) > 0) ?? queues[0];
      const control = select(
        queues.map((q) => [q.name, `${q.name} (${integer(q.dead)})`]),
        ctx.query.queue || first.name,
      );
      control.addEventListener('change', () => draw(control.value));
      draw(control.value);
      return h('div', {class: 'filters'}, field('Queue', control));
    },
  );
  const all = workButton(ctx, 'Redrive all deliveries', async () => {
    if (
      (await confirm(
        'Send every dead delivery again?',
        'All that was given up, of all merchants and endpoints, is tried again.',
        'Redrive',
      )) === null
    )
      return;
    await ctx.api.post(`${ctx.base}/deliveries/redrive`);
    ctx.notice('They are tried again.');
  });
  return [
    head('Dead letters', {actions: [all], lead: 'Tasks that were given up after all their attempts.'}),
    chosen.element,
    place,
  ];
}
