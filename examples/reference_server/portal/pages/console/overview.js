// SPDX-License-Identifier: Apache-2.0
import {drawLines} from '../shared/chart.js';
import {h, replace} from '../shared/dom.js';
import {bytes, figure as number, integer, milliseconds, timeText, words} from '../shared/format.js';
import {head} from '../shared/shell.js';
import {badge, card, code, empty, facts, loading, stat, table, when} from '../shared/ui.js';

// Queues, whether the server gives them as a list or by name.
export function queuesOf(scheduler) {
  const all = scheduler?.queues ?? scheduler ?? {};
  return Array.isArray(all)
    ? all.map((q) => ({name: q.queue ?? q.name, ...q}))
    : Object.entries(all)
        .filter(([, q]) => q && typeof q === 'object' && !Array.isArray(q))
        .map(([name, q]) => ({name, ...q}));
}

// Figures of a part whose names are the server's: plain values, in words.
export function plainFacts(object, without = []) {
  return facts(
    Object.entries(object ?? {})
      .filter(([name, value]) => !without.includes(name) && (value === null || typeof value !== 'object'))
      .map(([name, value]) => {
        if (value === null || value === '') return [words(name), '–'];
        if (typeof value === 'boolean') return [words(name), value ? 'Yes' : 'No'];
        if (/_at$|^at$/.test(name)) return [words(name), when(value)];
        if (/bytes$/.test(name)) return [words(name), bytes(value)];
        if (name === 'state') return ['State', badge(value)];
        return [words(name), /^-?\d+$/.test(String(value)) ? integer(value) : String(value)];
      }),
  );
}

function top({ledger, webhooks, payouts, intake}) {
  return h(
    'div',
    {class: 'stats'},
    stat('Journal', integer(ledger?.head?.sequence), `${integer(ledger?.accounts)} accounts`),
    stat('On disk', bytes(ledger?.disk_bytes ?? 0), `${integer(ledger?.queued)} transactions queued`),
    stat('Payouts followed to', integer(payouts?.followed)),
    stat('Events parked', integer(intake?.parked), 'wait for what they refer to'),
    stat('Endpoints', integer(webhooks?.endpoints), `${integer(webhooks?.in_flight)} deliveries in flight`),
    stat('Deliveries waiting', integer(webhooks?.waiting)),
    stat('Deliveries dead', h('a', {href: '#/dead'}, integer(webhooks?.dead))),
    stat('Attempts', integer(webhooks?.attempts), `${integer(webhooks?.failed)} failed`),
  );
}

function queues(list) {
  if (!list.length) return empty('No queues');
  return table(
    'Queues',
    [
      {label: 'Queue', kind: 'main', cell: (q) => code(q.name)},
      {label: 'Waiting', kind: 'number', cell: (q) => integer(q.waiting)},
      {label: 'Due', kind: 'number', cell: (q) => integer(q.ready)},
      {label: 'Leased', kind: 'number', cell: (q) => integer(q.leased)},
      {
        label: 'Dead',
        kind: 'number',
        cell: (q) =>
          Number(q.dead) ? h('a', {href: `#/dead?queue=${encodeURIComponent(q.name)}`}, integer(q.dead)) : '0',
      },
    ],
    list,
  );
}

function beside({mirror, sqs, cutover}) {
  const part = (title, object, href) =>
    card(
      title,
      object ? plainFacts(object, ['enabled']) : empty('Not configured'),
      href && object && h('p', null, h('a', {href}, `More of ${title.toLowerCase()}`)),
    );
  return h(
    'div',
    {class: 'columns three'},
    part('Mirror', mirror, '#/mirror'),
    part('Queue intake (SQS)', sqs),
    part(
      'Cutover',
      cutover && {
        share: `${Number(cutover.threshold) / 100} %`,
        routed_to_batch: cutover.routed_to_batch,
        sending_stopped: cutover.sending_stopped,
        unfinished: cutover.residue,
      },
      '#/cutover',
    ),
  );
}

export function overview(ctx) {
  const rate = h('figure');
  const latency = h('figure');
  const figures = h('div', {class: 'area'}, loading());
  const queued = h('div', {class: 'area'});
  const others = h('div', {class: 'area'});
  const updated = h('span', {class: 'note'});
  ctx.feed.listen(() => {
    const {latest, history, at} = ctx.feed;
    const values = (name) => history.map(({rates}) => rates[name] ?? null);
    const labels = [timeText(history[0].at), timeText(history.at(-1).at)];
    drawLines(rate, {
      title: 'Events settled a second',
      text: (v) => (v === null ? '–' : number(v)),
      labels,
      series: [{name: 'events/s', line: 1, values: values('events_per_second')}],
    });
    drawLines(latency, {
      title: 'Time to durable',
      text: milliseconds,
      labels,
      series: [
        {name: 'p50', line: 1, values: values('commit_p50_ms')},
        {name: 'p99', line: 2, values: values('commit_p99_ms')},
      ],
    });
    replace(figures, top(latest));
    replace(queued, queues(queuesOf(latest.scheduler)));
    // Under a keyboard's focus nothing is drawn anew.
    if (!others.contains(document.activeElement)) replace(others, beside(latest));
    replace(updated, 'Updated ', when(at));
  }, ctx.signal);
  return [
    head('Overview', {actions: [updated]}),
    h(
      'div',
      {class: 'columns'},
      h('section', {class: 'card', 'aria-label': 'Throughput'}, rate),
      h('section', {class: 'card', 'aria-label': 'Latency'}, latency),
    ),
    figures,
    card('Queues', queued),
    others,
  ];
}
