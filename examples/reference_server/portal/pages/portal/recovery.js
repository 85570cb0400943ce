// SPDX-License-Identifier: Apache-2.0
// What an endpoint missed, sent again: counted first, then started, then watched.
import {h, replace} from '../shared/dom.js';
import {idempotencyKey} from '../shared/api.js';
import {integer} from '../shared/format.js';
import {badge, button, explain, facts, field, input, when, workButton} from '../shared/ui.js';

const WATCH_MS = 2000;

function progress(recovery) {
  const [since, until, reached] = [recovery.since, recovery.until, recovery.reached].map((iso) =>
    new Date(iso).getTime(),
  );
  const share = until > since ? Math.min(1, Math.max(0, (reached - since) / (until - since))) : 1;
  const meter = h('progress', {
    class: 'meter',
    max: 1,
    value: share.toFixed(4),
    'aria-label': 'Progress of the recovery',
  });
  return [
    h('div', {class: 'actions'}, badge(recovery.state), h('span', null, `${integer(recovery.recovered)} sent again`)),
    meter,
    facts([
      ['Since', when(recovery.since)],
      ['Reached', when(recovery.reached)],
      ['Until', when(recovery.until)],
      ['A second, at most', integer(recovery.per_second)],
    ]),
  ];
}

export function recoveryPanel(ctx, place) {
  const {api, signal} = ctx;
  const current = h('div', {class: 'area', 'aria-live': 'polite'});
  const since = input({type: 'datetime-local', step: 1});
  const error = h('p', {class: 'error', role: 'alert'});
  const counted = h('div', {class: 'area', 'aria-live': 'polite'});
  let timer = null;
  signal.addEventListener('abort', () => clearTimeout(timer));

  function show(recovery) {
    clearTimeout(timer);
    replace(
      current,
      recovery && progress(recovery),
      recovery?.state === 'running' &&
        h(
          'div',
          {class: 'actions'},
          workButton(ctx, 'Stop the recovery', async () => show(await api.delete(`${place}/recovery`))),
        ),
    );
    if (recovery?.state === 'running') timer = setTimeout(look, WATCH_MS);
  }
  async function look() {
    try {
      show((await api.get(`${place}/recovery`, {}, {signal})).recovery);
    } catch (problem) {
      if (signal.aborted) return;
      error.textContent = explain(problem);
      timer = setTimeout(look, 5 * WATCH_MS);
      return;
    }
    error.textContent = '';
  }

  async function count() {
    error.textContent = '';
    replace(counted);
    const from = new Date(since.value);
    if (!since.value || Number.isNaN(from.getTime())) {
      error.textContent = 'Choose the time since when messages are to be sent again.';
      since.focus();
      return;
    }
    const iso = from.toISOString();
    let found;
    try {
      found = (await api.get(`${place}/recovery`, {since: iso}, {signal})).count;
    } catch (problem) {
      if (!signal.aborted) error.textContent = explain(problem);
      return;
    }
    const per = input({type: 'number', min: 1, value: 10});
    const key = idempotencyKey();
    replace(
      counted,
      h(
        'div',
        {class: 'panel'},
        facts([
          ['Delivered', integer(found.delivered)],
          ['Still waiting', integer(found.pending)],
          ['Given up', integer(found.dead)],
          ['Never made', integer(found.missing)],
        ]),
        Number(found.recoverable) === 0
          ? h('p', null, 'Since then, nothing was missed.')
          : [
              h(
                'p',
                null,
                h('b', null, integer(found.recoverable)),
                ' of them would be sent (again). Delivered ones are not.',
              ),
              field('A second, at most', per),
              h(
                'div',
                {class: 'actions'},
                workButton(
                  ctx,
                  `Send ${integer(found.recoverable)} messages`,
                  async () => {
                    const body = {since: iso};
                    if (per.value) body.per_second = Number(per.value);
                    show(await api.post(`${place}/recovery`, body, {fields: {'Idempotency-Key': key}}));
                    replace(counted);
                    ctx.announce('The recovery has begun');
                  },
                  {kind: 'primary'},
                ),
                button('Not now', () => replace(counted)),
              ),
            ],
      ),
    );
  }

  look();
  return [
    h(
      'p',
      {class: 'note'},
      'After an outage of yours: everything that the endpoint missed since a time, sent in order.',
    ),
    current,
    h(
      'form',
      {
        class: 'form',
        novalidate: true,
        on: {
          submit: (event) => {
            event.preventDefault();
            count();
          },
        },
      },
      field('Since', since, {error}),
      h('div', {class: 'actions'}, h('button', {class: 'button'}, 'Count first')),
    ),
    counted,
  ];
}
