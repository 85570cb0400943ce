// SPDX-License-Identifier: Apache-2.0
import {path} from '../shared/api.js';
import {timings} from '../shared/chart.js';
import {h} from '../shared/dom.js';
import {bytes, duration, integer, milliseconds, prettyJson, words} from '../shared/format.js';
import {head} from '../shared/shell.js';
import {area, badge, card, code, copyButton, countdown, empty, facts, when, workButton} from '../shared/ui.js';
import {attemptResult} from './endpoint.js';
import {failureText} from './reasons.js';

const WATCH_MS = 2000;

// What a receiver has in hand, and what it does with it (https://www.standardwebhooks.com).
function signature(d, scheme) {
  const last = d.attempts_list?.at(-1);
  const seconds = last ? Math.floor(new Date(last.at).getTime() / 1000) : null;
  return h(
    'div',
    {class: 'area'},
    facts([
      ['webhook-id', code(d.message_id)],
      ['webhook-timestamp', code(seconds === null ? 'seconds since 1970' : String(seconds))],
      [
        'webhook-signature',
        code(scheme === 'v1a' ? 'v1a,<Base64 of an Ed25519 signature>' : 'v1,<Base64 of an HMAC-SHA256>'),
      ],
    ]),
    h(
      'ul',
      {class: 'prose'},
      h(
        'li',
        null,
        h('b', null, 'webhook-id'),
        ' is the same in every attempt and at every endpoint: what you have had under it, you need not do again.',
      ),
      h(
        'li',
        null,
        h('b', null, 'webhook-timestamp'),
        ' is when the attempt was made. Refuse what is more than five minutes off.',
      ),
      h(
        'li',
        null,
        h('b', null, 'webhook-signature'),
        ' is made over ',
        code('id.timestamp.body'),
        scheme === 'v1a' ? ' with our private key; check it with the public one.' : ' with your secret.',
        ' There are several, with blanks between, while a secret is being rotated: one that fits is enough.',
      ),
      h('li', null, 'Check it over the body as it came, byte for byte, before it is parsed.'),
    ),
  );
}

function attempt(a) {
  return h(
    'li',
    {class: a.failure ? 'call' : ''},
    h(
      'div',
      {class: 'actions'},
      h('b', null, `Attempt ${integer(a.number)}`),
      attemptResult(a),
      a.trigger !== 'schedule' && badge(a.trigger),
    ),
    h('p', {class: 'note'}, when(a.at)),
    a.failure && h('p', null, failureText(a.failure)),
    a.message && h('p', {class: 'note'}, a.message),
    a.timings_ms && timings(a.timings_ms, milliseconds),
    a.response_body
      ? h(
          'details',
          null,
          h(
            'summary',
            null,
            `What it answered (${bytes(new TextEncoder().encode(a.response_body).length)}${a.response_truncated ? ', cut off' : ''})`,
          ),
          h('pre', {tabindex: '0'}, a.response_body),
        )
      : null,
    a.retry_at && h('p', {class: 'note'}, 'Asked to come again ', when(a.retry_at)),
  );
}

function details(ctx, d, e, resent) {
  const next = d.next_attempt && countdown(d.next_attempt, (left) => `in ${duration(left)}`, 'now', ctx.signal);
  const planned = next ? [when(d.next_attempt), ' (', next, ')'] : 'None planned';
  return [
    h(
      'section',
      {class: 'card', 'aria-label': 'State'},
      h(
        'div',
        {class: 'actions'},
        badge(d.state),
        d.last_failure && d.state !== 'delivered' && h('span', null, failureText(d.last_failure)),
      ),
      facts([
        ['Message', code(d.message_id)],
        ['Endpoint', h('a', {href: `#${path`/endpoints/${d.endpoint_id}`}`}, e?.url ?? d.endpoint_id)],
        ['Created', when(d.created_at)],
        ['Delivered', when(d.delivered_at)],
        ['Attempts', integer(d.attempts)],
        ['Next try', resent ? 'It is being sent again' : planned],
        d.sequence && ['Transaction', d.sequence],
      ]),
    ),
    h(
      'div',
      {class: 'columns'},
      card(
        'Attempts',
        d.attempts_list?.length
          ? h('ol', {class: 'timeline'}, [...d.attempts_list].reverse().map(attempt))
          : empty('Not tried yet'),
      ),
      h(
        'div',
        {class: 'area'},
        card(
          'Request body',
          h(
            'div',
            {class: 'actions'},
            copyButton(() => d.body ?? '', 'Copy as sent'),
          ),
          h(
            'pre',
            {tabindex: '0', 'aria-label': 'Request body'},
            d.body ? prettyJson(d.body) : 'It is not kept any more.',
          ),
        ),
        card('Signature', signature(d, e?.scheme)),
      ),
    ),
  ];
}

export function delivery(ctx) {
  const {api, base, params, signal} = ctx;
  const place = `${base}${path`/deliveries/${params.endpoint}/${params.message}`}`;
  const title = h('span', null, 'Delivery');
  let timer = null;
  let state = null;
  let attempts = 0;
  // A re-send is an attempt beside the state: until it is made, a dead delivery stays dead. So many attempts it will have then.
  let expected = 0;
  signal.addEventListener('abort', () => clearTimeout(timer));
  const shown = area(
    ctx,
    () =>
      Promise.all([
        api.get(place, {}, {signal}),
        // One that was deleted is no reason to show nothing.
        api.get(`${base}${path`/endpoints/${params.endpoint}`}`, {}, {signal}).catch((error) => {
          if (error.status === 404) return null;
          throw error;
        }),
      ]),
    ([d, e]) => {
      title.textContent = d.type;
      if (state && state !== d.state) ctx.announce(`The delivery is now ${words(d.state)}`);
      state = d.state;
      attempts = d.attempts;
      clearTimeout(timer);
      // While it is being tried, its news is looked for; not under a reader's hands.
      const resent = attempts < expected;
      if (state === 'pending' || resent) timer = setTimeout(watch, WATCH_MS);
      return details(ctx, d, e, resent);
    },
  );
  async function watch() {
    try {
      const d = await api.get(place, {}, {signal});
      if (d.state !== state || d.attempts !== attempts) {
        await shown.reload(true);
        return;
      }
    } catch (error) {
      if (signal.aborted || error.status === 404) return;
    }
    timer = setTimeout(watch, WATCH_MS);
  }
  const resend = workButton(
    ctx,
    'Re-send',
    async () => {
      const made = attempts;
      await api.post(`${place}/resend`);
      expected = made + 1;
      ctx.notice('It is on its way again.');
      await shown.reload(true);
    },
    {kind: 'primary'},
  );
  return [head(title, {back: ['/deliveries', 'Deliveries'], actions: [resend]}), shown.element];
}
