// SPDX-License-Identifier: Apache-2.0
import {path} from '../shared/api.js';
import {drawLines} from '../shared/chart.js';
import {h} from '../shared/dom.js';
import {duration, integer, milliseconds, timeText} from '../shared/format.js';
import {Router} from '../shared/router.js';
import {head} from '../shared/shell.js';
import {
  area,
  badge,
  button,
  card,
  code,
  confirm,
  empty,
  facts,
  linkButton,
  table,
  when,
  workButton,
} from '../shared/ui.js';
import {healthBadge} from './endpoints.js';
import {disabledText, failureText, resultText} from './reasons.js';
import {recoveryPanel} from './recovery.js';
import {overlapNote, rotate} from './secrets.js';

const SHOWN = 100;
const LISTED = 20;

const deliveryLink = (a) =>
  h('a', {href: `#/deliveries/${encodeURIComponent(a.endpoint_id)}/${encodeURIComponent(a.message_id)}`}, a.type);

export function attemptResult(a) {
  return a.failure
    ? badge(a.failure, resultText(a.failure, a.status), 'bad')
    : badge('delivered', `Delivered${a.status ? `, HTTP ${a.status}` : ''}`);
}

function latency(list) {
  const times = list.filter((a) => a.timings_ms?.total !== null && a.timings_ms?.total !== undefined).reverse();
  if (times.length < 2) return empty('Too few attempts for a chart');
  const figure = h('figure');
  const marks = times.flatMap((a, index) =>
    a.failure ? [{index, value: a.timings_ms.total, label: failureText(a.failure)}] : [],
  );
  drawLines(figure, {
    title: 'Time to the answer',
    text: milliseconds,
    marks,
    labels: [timeText(times[0].at), timeText(times.at(-1).at)],
    series: [
      {name: 'total', line: 1, values: times.map((a) => a.timings_ms.total)},
      {
        name: 'until connected',
        line: 2,
        values: times.map((a) => (a.timings_ms.dns ?? 0) + (a.timings_ms.connect ?? 0) + (a.timings_ms.tls ?? 0)),
      },
    ],
  });
  return [figure, marks.length > 0 && h('p', {class: 'note'}, 'Dots are attempts that failed.')];
}

function attempts(list) {
  if (!list.length) return empty('No attempts yet', 'Send a test to see one.');
  return [
    latency(list),
    table(
      'Latest attempts',
      [
        {label: 'Event', kind: 'main', cell: deliveryLink},
        {label: 'When', cell: (a) => when(a.at)},
        {
          label: 'Attempt',
          kind: 'number',
          cell: (a) => `${integer(a.number)}${a.trigger === 'schedule' ? '' : `, ${a.trigger}`}`,
        },
        {label: 'Result', cell: attemptResult},
        {label: 'Time', kind: 'number', cell: (a) => milliseconds(a.timings_ms?.total)},
      ],
      list.slice(0, LISTED),
    ),
  ];
}

function actionsOf(ctx, e, place, reload) {
  const change = (text, verb, said, kind) =>
    workButton(
      ctx,
      text,
      async () => {
        await ctx.api.post(`${place}/${verb}`);
        ctx.notice(said);
        await reload(true);
      },
      {kind},
    );
  const askedFirst = (text, verb, title, what, said) =>
    workButton(ctx, text, async () => {
      if ((await confirm(title, what, text, {danger: true})) === null) return;
      await ctx.api.post(`${place}/${verb}`);
      ctx.notice(said);
      await reload(true);
    });
  return h(
    'div',
    {class: 'actions'},
    e.state === 'disabled' && change('Enable', 'enable', 'Enabled: it is told of what happens from now on.', 'primary'),
    e.state === 'paused' && change('Resume', 'resume', 'Resumed: what has waited is sent now.', 'primary'),
    e.state !== 'disabled' &&
      workButton(ctx, 'Send test', async () => {
        const {message_id: id} = await ctx.api.post(`${place}/test`);
        ctx.notice('A test is on its way.');
        Router.go(path`/deliveries/${e.id}/${id}`);
      }),
    e.state === 'enabled' && change('Pause', 'pause', 'Paused: messages are made, and wait.'),
    linkButton('Edit', `#${path`/endpoints/${e.id}/edit`}`),
    button('Rotate secret', () => rotate(ctx, e, () => reload(true))),
    e.state !== 'disabled' &&
      askedFirst(
        'Disable',
        'disable',
        'Disable this endpoint?',
        'No messages are made for it until it is enabled, and those that wait become dead letters. To stop for a while, pause it instead.',
        'Disabled.',
      ),
    workButton(
      ctx,
      'Delete',
      async () => {
        if (
          (await confirm(
            'Delete this endpoint?',
            'It and its secret are gone for good. What waits for it is canceled.',
            'Delete',
            {danger: true},
          )) === null
        )
          return;
        await ctx.api.delete(place, {fields: {'If-Match': `"${e.version}"`}});
        ctx.notice('The endpoint was deleted.');
        Router.go('/endpoints');
      },
      {kind: 'danger'},
    ),
  );
}

function about(ctx, e) {
  const {health} = e;
  const retry = e.policy?.retry;
  return h(
    'section',
    {class: 'card', 'aria-label': 'About this endpoint'},
    h(
      'div',
      {class: 'actions'},
      badge(e.state),
      e.state === 'enabled' && healthBadge(e),
      overlapNote(e.id, ctx.signal),
    ),
    e.disabled &&
      h(
        'div',
        {class: 'panel bad'},
        h('b', null, disabledText(e.disabled.reason)),
        e.disabled.detail && h('p', null, e.disabled.detail),
        h('p', null, 'Since ', when(e.disabled.at), '. When it works again, enable it, and recover what it missed.'),
      ),
    e.state === 'paused' && h('p', {class: 'panel wait'}, 'Paused: messages wait until it is resumed.'),
    facts([
      ['Address', code(e.url)],
      ['Events', e.events.includes('*') ? 'All' : e.events.join(', ')],
      ['Signatures', e.scheme],
      ['Headers', e.headers.length ? e.headers.join(', ') : 'None'],
      [
        'Retries',
        !retry
          ? 'The default'
          : retry.delays_seconds
            ? retry.delays_seconds.map(duration).join(', ')
            : `From ${duration(retry.initial_seconds)}, times ${retry.multiplier}`,
      ],
      ['Added', when(e.created_at)],
      ['Changed', when(e.updated_at)],
      health?.failing_since && [
        'Failing since',
        when(health.failing_since),
        ` (${integer(health.consecutive_failures)} in a row)`,
      ],
      health?.retry_at && ['Next try', when(health.retry_at)],
    ]),
  );
}

export function endpoint(ctx) {
  const {api, base, params, signal} = ctx;
  const place = `${base}${path`/endpoints/${params.endpoint}`}`;
  const title = h('span', null, 'Endpoint');
  const shown = area(
    ctx,
    () => api.get(place, {}, {signal}),
    (e) => {
      title.textContent = new URL(e.url).host;
      return [
        actionsOf(ctx, e, place, (quiet) => Promise.all([shown.reload(quiet), tried.reload(quiet)])),
        about(ctx, e),
      ];
    },
  );
  const tried = area(
    ctx,
    async () => (await api.get(`${base}/attempts`, {endpoint: params.endpoint, limit: SHOWN}, {signal})).data,
    attempts,
  );
  return [
    head(title, {back: ['/endpoints', 'Endpoints']}),
    shown.element,
    card(
      'Attempts',
      tried.element,
      h(
        'p',
        null,
        linkButton('All its deliveries', `#/deliveries?endpoint=${encodeURIComponent(params.endpoint)}`, {
          kind: 'small',
        }),
      ),
    ),
    card('Recover', recoveryPanel(ctx, place)),
  ];
}
