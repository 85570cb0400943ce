// SPDX-License-Identifier: Apache-2.0
import {withQuery} from '../shared/api.js';
import {h} from '../shared/dom.js';
import {money, words} from '../shared/format.js';
import {DAYS, list} from '../shared/list.js';
import {throttle} from '../shared/live.js';
import {head} from '../shared/shell.js';
import {button, input, field, openDialog, when} from '../shared/ui.js';

const TYPES = [
  'PAYMENT_CAPTURED',
  'PAYMENT_REFUNDED',
  'DISPUTE_OPENED',
  'DISPUTE_LOST',
  'DISPUTE_WON',
  'PAYOUT_REQUESTED',
  'PAYOUT_PAID',
  'PAYOUT_FAILED',
  'PAYOUT_CANCELED',
  'PAYOUT_RETURNED',
  'ADJUSTMENT',
];

const FILTERS = [
  {name: 'asset', label: 'Asset', placeholder: 'USD/2'},
  {name: 'type', label: 'Type', type: 'select', options: TYPES.map((type) => [type, words(type)])},
  ...DAYS,
];

function about(t) {
  if (t.payout_id) return h('a', {href: `#/payouts/${encodeURIComponent(t.payout_id)}`}, t.payout_id);
  return t.payment_id ?? h('span', {class: 'none'}, '–');
}

// One below the other, each with its amount.
export const entries = (t) =>
  t.entries.map((e) =>
    h('div', {class: 'entry'}, h('span', null, `${words(e.kind)} ${e.account}`), h('span', null, money(e.amount))),
  );

const COLUMNS = [
  {label: 'No.', kind: 'main tight', cell: (t) => t.sequence},
  {label: 'When', cell: (t) => when(t.recorded_at)},
  {label: 'Type', cell: (t) => words(t.type ?? 'entry')},
  {label: 'About', kind: 'wrap', cell: about},
  {label: 'Entries', cell: entries},
];

// A statement is of one asset: asked for, if the list is of all.
function statement(base, shown, close) {
  const query = shown.query();
  const asset = input({value: query.asset ?? '', placeholder: 'USD/2'});
  const error = h('p', {class: 'error', 'aria-live': 'polite'});
  return h(
    'form',
    {
      novalidate: true,
      on: {
        submit: (event) => {
          event.preventDefault();
          if (!/^[^/\s]+\/\d+$/.test(asset.value.trim())) {
            error.textContent = 'An asset is its code and its scale: USD/2.';
            asset.setAttribute('aria-invalid', 'true');
            asset.focus();
            return;
          }
          const {from, before} = query;
          const download = h('a', {
            href: withQuery(`${base}/statement`, {asset: asset.value.trim(), from, before}),
            download: '',
          });
          document.body.append(download);
          download.click();
          download.remove();
          close();
        },
      },
    },
    h(
      'p',
      null,
      'All transactions of one asset, with the available balance after each, as CSV.',
      query.from || query.before ? ' The days of the filter apply.' : '',
    ),
    field('Asset', asset, {error}),
    h('div', {class: 'actions'}, h('button', {class: 'button primary'}, 'Download'), button('Cancel', close)),
  );
}

export function transactions(ctx) {
  const {base, signal} = ctx;
  const shown = list(ctx, {
    caption: 'Transactions',
    place: `${base}/transactions`,
    columns: COLUMNS,
    key: (t) => t.sequence,
    filters: FILTERS,
    emptyTitle: 'No transactions yet',
    emptyText: 'Payments, refunds and payouts appear here as they are booked.',
  });
  // New ones come on top; a reader of later pages is left in peace.
  const refresh = throttle(
    () => {
      if (shown.rows.length <= 50) shown.reload(true);
    },
    3000,
    signal,
  );
  ctx.live.on(refresh, signal);
  const open = () => openDialog('Statement', (close) => statement(base, shown, close));
  return [head('Transactions', {actions: [button('Statement as CSV', open)], lead: 'Newest first.'}), shown.element];
}
