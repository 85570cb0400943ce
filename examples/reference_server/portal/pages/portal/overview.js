// SPDX-License-Identifier: Apache-2.0
import {h, replace} from '../shared/dom.js';
import {dayStart, decimal, integer, money, parseAsset, percent, words} from '../shared/format.js';
import {throttle} from '../shared/live.js';
import {head} from '../shared/shell.js';
import {area, badge, card, empty, linkButton, stat, table, when} from '../shared/ui.js';

const SHOWN = 8;
const REFRESH_MS = 2000;

function today() {
  const now = new Date();
  const two = (n) => String(n).padStart(2, '0');
  return dayStart(`${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`);
}

const all = (amounts) => (amounts?.length ? amounts.map((amount) => h('div', null, money(amount))) : 'None');

function balances({balances: list}) {
  if (!list.length) return empty('No balance yet', 'It appears with the first payment.');
  return h(
    'div',
    {class: 'stats wide'},
    list.map(({asset, available, held}) => {
      const {code, scale} = parseAsset(asset);
      return stat(
        `Available, ${code}`,
        `${decimal(available, scale)} ${code}`,
        `Held: ${decimal(held, scale)} ${code}`,
      );
    }),
  );
}

function figures(data) {
  const {today: day, endpoints, deliveries} = data;
  const troubled = ['paused', 'disabled', 'failing'].filter((name) => Number(endpoints[name]) > 0);
  return [
    h(
      'div',
      {class: 'stats'},
      stat('Captured today', all(day.captured)),
      stat('Refunded today', all(day.refunded)),
      stat('Payouts today', all(day.payouts)),
      stat('Payouts under way', h('a', {href: '#/payouts?state=submitted'}, integer(data.payouts_under_way))),
    ),
    h(
      'div',
      {class: 'stats'},
      stat(
        'Endpoints',
        h('a', {href: '#/endpoints'}, `${integer(endpoints.enabled)} enabled`),
        troubled.length ? troubled.map((name) => `${integer(endpoints[name])} ${name}`).join(', ') : 'All healthy',
      ),
      stat('Deliveries that succeed', percent(deliveries.success_rate), `${integer(deliveries.delivered)} delivered`),
      stat(
        'Waiting',
        h('a', {href: '#/deliveries?state=pending'}, integer(deliveries.pending)),
        'to be tried, or tried again',
      ),
      stat(
        'Dead letters',
        h('a', {href: '#/dead'}, integer(deliveries.dead)),
        Number(deliveries.dead) ? 'given up: they can be sent again' : 'nothing was given up',
      ),
    ),
    data.truncated &&
      h('p', {class: 'note'}, 'There is more than could be counted at once: these figures are lower bounds.'),
  ];
}

function payoutsUnderWay(list) {
  if (!list.length) return empty('No payout is under way');
  return table(
    'Payouts under way',
    [
      {
        label: 'Payout',
        kind: 'main',
        cell: (p) => h('a', {href: `#/payouts/${encodeURIComponent(p.payout_id)}`}, p.payout_id),
      },
      {label: 'State', cell: (p) => badge(p.state)},
      {label: 'Amount', kind: 'number', cell: (p) => money(p.amount)},
    ],
    list,
  );
}

function activity(list) {
  if (!list.length) return empty('No transactions yet');
  return table(
    'Latest transactions',
    [
      {label: 'When', kind: 'main', cell: (t) => when(t.recorded_at, {ago: true})},
      {label: 'What', cell: (t) => words(t.type ?? 'entry')},
      {label: 'Amount', kind: 'number', cell: (t) => (t.entries[0] ? money(t.entries[0].amount) : '–')},
    ],
    list,
  );
}

export function overview(ctx) {
  const {api, base, signal} = ctx;
  const options = {signal};
  const parts = [
    area(ctx, () => api.get(`${base}/balances`, {}, options), balances),
    area(ctx, () => api.get(`${base}/summary`, {from: today()}, options), figures),
    area(
      ctx,
      async () => {
        const pages = await Promise.all(
          ['submitted', 'requested'].map((state) => api.get(`${base}/payouts`, {state, limit: SHOWN}, options)),
        );
        return pages
          .flatMap((page) => page.data)
          .sort((a, b) => (a.requested_at < b.requested_at ? 1 : -1))
          .slice(0, SHOWN);
      },
      payoutsUnderWay,
    ),
    area(ctx, async () => (await api.get(`${base}/transactions`, {limit: SHOWN}, options)).data, activity),
  ];
  const updated = h('span', {class: 'note'});
  const refresh = throttle(
    () => {
      for (const part of parts) part.reload(true);
      replace(updated, 'Updated ', when(new Date().toISOString()));
    },
    REFRESH_MS,
    signal,
  );
  ctx.live.on(refresh, signal);
  const [now, day, under, latest] = parts.map((part) => part.element);
  return [
    head('Overview', {actions: [updated]}),
    now,
    day,
    h(
      'div',
      {class: 'columns'},
      card('Payouts under way', under, h('p', null, linkButton('All payouts', '#/payouts', {kind: 'small'}))),
      card(
        'Latest transactions',
        latest,
        h('p', null, linkButton('All transactions', '#/transactions', {kind: 'small'})),
      ),
    ),
  ];
}
