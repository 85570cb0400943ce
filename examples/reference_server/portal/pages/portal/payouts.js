// SPDX-License-Identifier: Apache-2.0
import {path, withQuery} from '../shared/api.js';
import {h} from '../shared/dom.js';
import {integer, money, parseAsset, unitsOf, words} from '../shared/format.js';
import {DAYS, list} from '../shared/list.js';
import {throttle} from '../shared/live.js';
import {head} from '../shared/shell.js';
import {area, badge, card, code, empty, facts, linkButton, table, when} from '../shared/ui.js';
import {failureText, payoutReason, payoutState} from './reasons.js';
import {entries} from './transactions.js';

const STATES = ['requested', 'submitted', 'paid', 'failed', 'canceled', 'returned', 'rejected'];
const MAX_SINGLE_READS = 10;
const REFRESH_MS = 700;

const link = (p) => h('a', {href: `#/payouts/${encodeURIComponent(p.payout_id)}`}, p.payout_id);

// Amounts are of one asset: without it, nobody knows how many digits are behind the point.
const bound = (name) => (text, values) => {
  if (!/^[^/]+\/\d+$/.test(values.asset)) return 'To filter by amount, choose the asset too, as in USD/2.';
  const units = unitsOf(text, values.asset);
  return units === null ? `“${text}” is no amount of ${parseAsset(values.asset).code}.` : {[name]: units};
};

const FILTERS = [
  {name: 'state', label: 'State', type: 'select', options: STATES.map((state) => [state, words(state)])},
  ...DAYS,
  {name: 'asset', label: 'Asset', placeholder: 'USD/2'},
  {name: 'min', label: 'Amount from', inputmode: 'decimal', to: bound('min_units')},
  {name: 'max', label: 'Amount to', inputmode: 'decimal', to: bound('max_units')},
];

const COLUMNS = [
  {label: 'Payout', kind: 'main', cell: link},
  {label: 'State', cell: (p) => badge(p.state)},
  {label: 'Requested', cell: (p) => when(p.requested_at)},
  {label: 'Settled', cell: (p) => when(p.settled_at)},
  {label: 'Amount', kind: 'number', cell: (p) => money(p.amount)},
];

export function payouts(ctx) {
  const {api, base, signal} = ctx;
  const csv = linkButton('Download CSV', `${base}/payouts.csv`, {download: ''});
  const shown = list(ctx, {
    caption: 'Payouts',
    place: `${base}/payouts`,
    columns: COLUMNS,
    key: (p) => p.payout_id,
    filters: FILTERS,
    emptyTitle: 'No payouts yet',
    emptyText: 'They appear here as soon as the first one is requested.',
    changed: () => csv.setAttribute('href', withQuery(`${base}/payouts.csv`, shown?.query?.() ?? {})),
  });

  // What happens to payouts that are shown is read anew, one by one; new ones, and many at once, with the page.
  const touched = new Set();
  const refresh = throttle(
    async () => {
      const ids = [...touched];
      touched.clear();
      const known = new Set(shown.rows.map((p) => p.payout_id));
      if (ids.length > MAX_SINGLE_READS || ids.some((id) => !known.has(id))) {
        if (shown.rows.length <= 50) await shown.reload(true);
        return;
      }
      for (const id of ids) {
        try {
          const p = await api.get(path`/v1/merchants/${ctx.merchant}/payouts/${id}`, {}, {signal});
          shown.update(id, p);
          ctx.announce(`Payout ${id}: ${words(p.state)}`);
        } catch {
          if (signal.aborted) return;
          touched.add(id); // with the next event
        }
      }
    },
    REFRESH_MS,
    signal,
  );
  ctx.live.on(({kind, data}) => {
    if (kind === 'reset') shown.reload(true);
    else if (data?.payout_id) {
      touched.add(data.payout_id);
      refresh();
    }
  }, signal);
  return [head('Payouts', {actions: [csv], lead: 'States change here as they change at the bank.'}), shown.element];
}

// ---- One ------------------------------------------------------------------------------------------------------

// The fee that the ledger booked with the payout, if it did: entries to an account of fees.
function split(p, booked) {
  const fees = booked
    .flatMap((t) => t.entries)
    .filter((e) => /(^|[:|])fees?$/.test(e.account) && e.amount.asset === p.amount.asset);
  const gross = ['Gross', h('b', null, money(p.amount))];
  if (!fees.length)
    return [gross, ['Fee', h('span', {class: 'note'}, 'None is booked with this payout')], ['Net', money(p.amount)]];
  const total = fees.reduce((units, e) => units + BigInt(e.amount.units), 0n);
  const size = total < 0n ? -total : total;
  return [
    gross,
    ['Fee', money({asset: p.amount.asset, units: size.toString()})],
    ['Net', money({asset: p.amount.asset, units: (BigInt(p.amount.units) - size).toString()})],
  ];
}

function timeline(moments) {
  if (!moments?.length) return empty('Nothing is known of its course');
  return h(
    'ol',
    {class: 'timeline'},
    moments.map((m) =>
      h(
        'li',
        {class: m.sequence ? '' : 'call'},
        h(
          'b',
          null,
          {submit: 'Sent to the bank', query: 'Asked the bank', rejected: 'Refused'}[m.what] ?? words(m.what),
        ),
        ' ',
        m.detail && h('span', null, `${payoutReason(m.detail).replace(/\.$/, '')} `),
        h('div', {class: 'note'}, when(m.at), m.sequence && ` · transaction ${m.sequence}`),
      ),
    ),
  );
}

function messages(list) {
  if (!list?.length) return empty('No deliveries about it', 'They are made when an endpoint wants events of payouts.');
  return table(
    'Deliveries about this payout',
    [
      {
        label: 'Event',
        kind: 'main',
        cell: (d) =>
          h(
            'a',
            {href: `#/deliveries/${encodeURIComponent(d.endpoint_id)}/${encodeURIComponent(d.message_id)}`},
            d.type,
          ),
      },
      {label: 'State', cell: (d) => badge(d.state)},
      {label: 'Attempts', kind: 'number', cell: (d) => integer(d.attempts)},
      {
        label: 'Last',
        cell: (d) => (d.last_failure ? failureText(d.last_failure) : when(d.last_attempt_at, {ago: true})),
      },
    ],
    list,
  );
}

function booked(list) {
  if (!list.length) return empty('Nothing is booked');
  return table(
    'Transactions of this payout',
    [
      {label: 'Transaction', kind: 'main', cell: (t) => t.sequence},
      {label: 'What', cell: (t) => words(t.type ?? 'entry')},
      {label: 'Entries', cell: entries},
    ],
    list,
  );
}

function details(p, transactions, base) {
  return [
    p.attention &&
      h(
        'div',
        {class: 'panel bad', role: 'alert'},
        h('b', null, 'This payout needs a look'),
        h('p', null, p.attention),
      ),
    h(
      'section',
      {class: 'card', 'aria-label': 'Amount and state'},
      h('div', {class: 'actions'}, badge(p.state), h('span', null, payoutState(p.state))),
      p.reason && h('p', {class: 'panel bad'}, payoutReason(p.reason)),
      facts([
        ...split(p, transactions),
        ['Requested', when(p.requested_at)],
        ['Settled', when(p.settled_at)],
        ['Next call of the bank', p.next_attempt ? when(p.next_attempt) : 'None planned'],
        ['Calls of the bank', `${integer(p.submits)} to send it, ${integer(p.queries)} to ask about it`],
      ]),
    ),
    h(
      'div',
      {class: 'columns'},
      card('What happened', timeline(p.timeline)),
      h(
        'div',
        {class: 'area'},
        card('Transactions', booked(transactions)),
        card('Deliveries about it', messages(p.deliveries)),
      ),
    ),
    h(
      'p',
      null,
      linkButton(
        'Statement of this time as CSV',
        withQuery(`${base}/statement`, {asset: p.amount.asset, from: p.requested_at}),
        {download: ''},
      ),
    ),
  ];
}

export function payout(ctx) {
  const {api, base, params, signal} = ctx;
  const place = `${base}${path`/payouts/${params.payout}`}`;
  let state = null;
  const shown = area(
    ctx,
    async () => {
      const p = await api.get(place, {}, {signal});
      const transactions = await Promise.all(
        (p.transactions ?? [])
          .slice(0, 20)
          .map((sequence) => api.get(`${base}/transactions/${sequence}`, {}, {signal})),
      );
      if (state && state !== p.state) ctx.announce(`The payout is now ${words(p.state)}`);
      state = p.state;
      return [p, transactions];
    },
    ([p, transactions]) => details(p, transactions, base),
  );
  const refresh = throttle(() => shown.reload(true), REFRESH_MS, signal);
  ctx.live.on(({kind, data}) => {
    if (kind === 'reset' || data?.payout_id === params.payout) refresh();
  }, signal);
  return [head(['Payout ', code(params.payout)], {back: ['/payouts', 'Payouts']}), shown.element];
}
