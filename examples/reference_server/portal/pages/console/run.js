// SPDX-License-Identifier: Apache-2.0
// The parallel run: days, what differs, and each difference down to the rows of both sides.
import {path} from '../shared/api.js';
import {h} from '../shared/dom.js';
import {decimal, integer, parseAsset, prettyJson, words} from '../shared/format.js';
import {list} from '../shared/list.js';
import {head} from '../shared/shell.js';
import {area, badge, card, code, confirm, empty, facts, linkButton, table, when, workButton} from '../shared/ui.js';

const STATES = ['open', 'explained', 'resolved', 'ignored'];
const CLASSES = [
  'missing_here',
  'missing_there',
  'duplicate',
  'currency',
  'amount',
  'fee',
  'merchant',
  'status',
  'day_shift',
  'late',
  'unreadable',
];

const pairs = (object) =>
  Array.isArray(object) ? object.map((x) => [x.asset ?? x.class ?? x.state, x]) : Object.entries(object ?? {});
const dayBadge = (day) =>
  badge(day.state, words(day.state), day.state === 'closed' ? 'good' : day.state === 'reopened' ? 'wait' : 'calm');
const different = (day) =>
  pairs(day.by_class).map(([name, count]) =>
    h(
      'a',
      {href: `#/run/discrepancies?day=${day.day}&class=${name}`},
      `${integer(count.count ?? count)} ${words(name).toLowerCase()}`,
    ),
  );
const between = (parts) => parts.flatMap((part, i) => (i ? [', ', part] : [part]));

function gate(status) {
  return h(
    'div',
    {class: `panel ${status.open ? 'good' : 'wait'}`},
    h('b', null, status.open ? 'The gate is open: raising may go on' : 'The gate is closed'),
    status.reasons?.length > 0 &&
      h(
        'ul',
        null,
        status.reasons.map((reason) => h('li', null, reason)),
      ),
    h('p', null, `${integer(status.days?.length ?? 0)} clean days in a row.`),
  );
}

function coverage(day) {
  const line = ([asset, sides]) => {
    const {scale} = parseAsset(asset);
    const of = (side) =>
      `${integer(side?.matched?.count ?? 0)} of ${integer(side?.ingested?.count ?? 0)} (${decimal(side?.ingested?.sum ?? 0, scale)})`;
    return h('div', null, `${asset}: here ${of(sides.ours)}, there ${of(sides.theirs)}`);
  };
  return pairs(day.assets).map(line);
}

// Where there is none, nothing is asked for: whether there is the overview tells.
const configured = (ctx) => Boolean(ctx.feed.latest?.parallel_run);
const missing = () =>
  empty('No parallel run is configured', 'It needs a mapping of the batch’s rows in the server’s settings.');

export function days(ctx) {
  if (!configured(ctx)) return [head('Parallel run'), missing()];
  const {api, base, signal} = ctx;
  const state = area(ctx, () => api.get(`${base}/parallel-run/gate`, {}, {signal}), gate);
  const shown = area(
    ctx,
    async () => (await api.get(`${base}/parallel-run/days`, {}, {signal})).data,
    (rows) => {
      if (!rows.length) return empty('No days yet', 'They appear as rows of both sides come in.');
      return table(
        'Days',
        [
          {label: 'Day', kind: 'main tight', cell: (d) => h('a', {href: `#/run/discrepancies?day=${d.day}`}, d.day)},
          {label: 'State', cell: dayBadge},
          {label: 'Matched', cell: coverage},
          {
            label: 'Differences',
            cell: (d) => (different(d).length ? between(different(d)) : badge('clean', 'None', 'good')),
          },
          {label: 'Sound', cell: (d) => (d.sound ? 'Yes' : h('span', {class: 'note'}, 'Not shown'))},
          {
            label: 'Close',
            kind: 'tight',
            cell: (d) =>
              d.state === 'closed'
                ? when(d.closed_at)
                : workButton(
                    ctx,
                    'Close',
                    async () => {
                      if (
                        (await confirm(
                          `Close ${d.day}?`,
                          'What stands alone then counts as a difference.',
                          'Close the day',
                        )) === null
                      )
                        return;
                      await api.post(`${base}${path`/parallel-run/days/${d.day}/close`}`);
                      ctx.notice(`${d.day} was closed.`);
                      await Promise.all([shown.reload(true), state.reload(true)]);
                    },
                    {kind: 'small', 'aria-label': `Close ${d.day}`},
                  ),
          },
        ],
        rows,
      );
    },
  );
  return [
    head('Parallel run', {
      actions: [linkButton('All differences', '#/run/discrepancies')],
      lead: 'What the batch settles and what the ledger settles, day by day.',
    }),
    state.element,
    card('Days', shown.element),
  ];
}

const classes = (d) => (d.classes ?? []).map((name) => [badge(name, words(name), 'wait'), ' ']);

export function discrepancies(ctx) {
  if (!configured(ctx)) return [head('Differences', {back: ['/run', 'Parallel run']}), missing()];
  const shown = list(ctx, {
    place: `${ctx.base}/parallel-run/discrepancies`,
    caption: 'Differences',
    key: (d) => d.id,
    filters: [
      {name: 'state', label: 'State', type: 'select', options: STATES.map((name) => [name, words(name)])},
      {name: 'class', label: 'Kind', type: 'select', options: CLASSES.map((name) => [name, words(name)])},
      {name: 'day', label: 'Day', type: 'date'},
      {name: 'merchant', label: 'Merchant'},
    ],
    columns: [
      {label: 'Difference', kind: 'main', cell: (d) => h('a', {href: `#${path`/run/discrepancies/${d.id}`}`}, d.id)},
      {label: 'Kind', cell: classes},
      {label: 'State', cell: (d) => badge(d.state)},
      {label: 'Day', cell: (d) => d.day},
      {label: 'What', cell: (d) => d.detail},
    ],
    emptyTitle: 'No differences',
    emptyText: 'Both sides agree on all that was compared.',
  });
  return [head('Differences', {back: ['/run', 'Parallel run']}), shown.element];
}

function rowFacts(row) {
  if (!row) return h('p', {class: 'note'}, 'It cannot be read.');
  const {code: currency, scale} = parseAsset(row.asset ?? row.amount?.asset);
  const units = row.units ?? row.amount?.units;
  return facts([
    ['Leg', words(row.leg)],
    ['Id', code(row.id)],
    ['Merchant', row.merchant_id],
    ['Amount', units === undefined ? '–' : `${decimal(units, scale)} ${currency}`],
    row.fee !== null && row.fee !== undefined && ['Fee', decimal(row.fee.units ?? row.fee, scale)],
    row.status && ['Status', words(row.status)],
    ['Day', row.day],
    row.at && ['At', when(row.at)],
  ]);
}

function details(ctx, d, place, reload) {
  const change = (verb, text, said) =>
    workButton(ctx, text, async () => {
      const reason = await confirm(text, `${said} It is kept with your name and the time.`, text, {reason: true});
      if (reason === null) return;
      await ctx.api.post(`${place}/${verb}`, {reason});
      await reload(true);
    });
  const side = (title, rows, raw) =>
    card(
      title,
      rows?.length
        ? rows.map((r) =>
            h(
              'div',
              {class: 'area'},
              rowFacts(r.row),
              r.records?.length > 0 && h('p', {class: 'note'}, `Journal: ${r.records.join(', ')}`),
              r.source && h('p', {class: 'note'}, `${r.source}, row ${r.row_id}`),
              h('details', null, h('summary', null, 'As it came'), h('pre', {tabindex: '0'}, raw(r))),
            ),
          )
        : empty('Nothing on this side'),
    );
  return [
    h(
      'section',
      {class: 'card', 'aria-label': 'What differs'},
      h('div', {class: 'actions'}, badge(d.state), classes(d)),
      h('p', null, d.detail),
      facts([
        ['Day', d.day],
        ['First seen', when(d.first_seen)],
        ['Last seen', when(d.last_seen)],
      ]),
      h(
        'div',
        {class: 'actions'},
        d.state === 'open' && change('explain', 'Explain', 'The reason is known, and the difference is left.'),
        d.state !== 'resolved' && change('resolve', 'Resolve', 'The difference was put right.'),
        d.state !== 'open' && change('reopen', 'Open again', 'It needs another look.'),
      ),
    ),
    h(
      'div',
      {class: 'columns'},
      side('Here (ledger)', d.ours, (r) => prettyJson(r.raw ?? '')),
      side('There (batch)', d.theirs, (r) => JSON.stringify(r.raw ?? {}, null, 2)),
    ),
    card(
      'History',
      d.history?.length
        ? h(
            'ol',
            {class: 'timeline'},
            d.history.map((c) =>
              h(
                'li',
                null,
                badge(c.state),
                ' ',
                c.reason,
                h('div', {class: 'note'}, when(c.at), ` · ${c.actor || 'the run itself'}`),
              ),
            ),
          )
        : empty('Nothing yet'),
    ),
  ];
}

export function discrepancy(ctx) {
  if (!configured(ctx)) return [head('Difference', {back: ['/run', 'Parallel run']}), missing()];
  const place = `${ctx.base}${path`/parallel-run/discrepancies/${ctx.params.id}`}`;
  const shown = area(
    ctx,
    () => ctx.api.get(place, {}, {signal: ctx.signal}),
    (d) => details(ctx, d, place, shown.reload),
  );
  return [head(ctx.params.id, {back: ['/run/discrepancies', 'Differences']}), shown.element];
}
