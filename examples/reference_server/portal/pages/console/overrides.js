// SPDX-License-Identifier: Apache-2.0
// Single merchants that go where the threshold would not send them: who they are, who said so and why; set and cleared with a reason.
import {path} from '../shared/api.js';
import {h} from '../shared/dom.js';
import {list} from '../shared/list.js';
import {badge, card, code, confirm, field, input, select, when, workButton} from '../shared/ui.js';

const WHERE = {allow: 'Always here', deny: 'Never here'};
// Title, text and button of the question before it.
const ASKED = {
  allow: (merchant) => [
    `Settle ${merchant} here?`,
    'New payouts here, whatever the threshold. Those of a merchant that takes no part, or while everything is routed to the batch, still go there.',
    'Settle here',
  ],
  deny: (merchant) => [
    `Leave ${merchant} to the batch?`,
    'Its new payouts go to the batch system, whatever the threshold. What this ledger has taken on, it finishes.',
    'Leave to the batch',
  ],
  none: (merchant) => [
    `Let ${merchant} go by the threshold?`,
    'Its new payouts go where the threshold sends them again.',
    'Clear',
  ],
};

// change(merchant, 'allow' | 'deny' | 'none'): whether somebody has said yes.
function form(ctx, change) {
  const merchant = input({maxlength: 64, required: true});
  const where = select(Object.entries(WHERE), 'deny');
  const error = h('p', {class: 'error', 'aria-live': 'polite'});
  async function send() {
    const name = merchant.value.trim();
    error.textContent = name ? '' : 'Say which merchant.';
    merchant.setAttribute('aria-invalid', String(!name));
    if (!name) merchant.focus();
    else if (await change(name, where.value)) merchant.value = '';
  }
  const set = workButton(ctx, 'Set override', send, {kind: 'primary'});
  const submit = (event) => {
    event.preventDefault();
    set.click();
  };
  return h(
    'form',
    {class: 'filters', 'aria-label': 'Set an override', novalidate: true, on: {submit}},
    field('Merchant', merchant, {error}),
    field('New payouts', where),
    h('div', {class: 'actions'}, set),
  );
}

// changed(): what else on the screen is to be read again.
export function overrides(ctx, changed) {
  const place = `${ctx.base}/cutover/overrides`;
  async function change(merchant, to) {
    const reason = await confirm(...ASKED[to](merchant), {reason: true});
    if (reason === null) return false;
    const one = `${place}${path`/${merchant}`}`;
    await (to === 'none' ? ctx.api.delete(one, {body: {reason}}) : ctx.api.put(one, {override: to, reason}));
    ctx.notice('Done. It holds from this moment on.');
    await Promise.all([shown.reload(true), changed()]);
    return true;
  }
  const one = (text, o, to) =>
    workButton(ctx, text, () => change(o.merchant_id, to), {kind: 'small', 'aria-label': `${text} ${o.merchant_id}`});
  const shown = list(ctx, {
    place,
    caption: 'Overrides of single merchants',
    key: (o) => o.merchant_id,
    bar: form(ctx, change),
    columns: [
      {label: 'Merchant', kind: 'main', cell: (o) => code(o.merchant_id)},
      {label: 'Settled', cell: (o) => badge(o.override, WHERE[o.override])},
      {label: 'Since', cell: (o) => when(o.at)},
      {label: 'Who', cell: (o) => o.actor},
      {label: 'Why', kind: 'wrap', cell: (o) => o.reason},
      {label: 'Change', kind: 'tight', cell: (o) => one('Clear', o, 'none')},
    ],
    emptyTitle: 'No overrides',
    emptyText: 'Every merchant goes by the threshold.',
  });
  return card('Single merchants', shown.element);
}
