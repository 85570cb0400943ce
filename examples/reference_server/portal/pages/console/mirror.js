// SPDX-License-Identifier: Apache-2.0
// The mirror in PostgreSQL; and the two that look after the store: verification and backup.
import {drawLines} from '../shared/chart.js';
import {idempotencyKey} from '../shared/api.js';
import {h, replace} from '../shared/dom.js';
import {integer, timeText, words} from '../shared/format.js';
import {head} from '../shared/shell.js';
import {area, badge, card, code, empty, explain, facts, field, input, stat, workButton} from '../shared/ui.js';
import {plainFacts} from './overview.js';

const POLL_MS = 2000;
const KEPT = 150;

const toneOf = (state) => ({running: 'good', waiting: 'wait', halted: 'bad'})[state] ?? 'calm';

function watch(ctx) {
  const figure = h('figure');
  const history = [];
  const shown = area(
    ctx,
    () => ctx.api.get(`${ctx.base}/mirror`, {}, {signal: ctx.signal}),
    (m) => {
      if (!m.enabled)
        return empty('No mirror is configured', 'With one, PostgreSQL has a copy of the journal, seconds behind.');
      history.push([new Date().toISOString(), Number(m.lag_records)]);
      if (history.length > KEPT) history.shift();
      drawLines(figure, {
        title: 'Records behind',
        text: (v) => integer(Math.round(v ?? 0)),
        labels: [timeText(history[0][0]), timeText(history.at(-1)[0])],
        series: [{name: 'records', line: 1, values: history.map(([, lag]) => lag)}],
      });
      timer = setTimeout(() => shown.reload(true).then(again), POLL_MS);
      return [
        h(
          'div',
          {class: 'stats'},
          stat('State', badge(m.state, words(m.state), toneOf(m.state)), m.status),
          stat('Behind', `${integer(m.lag_records)} records`),
          stat('Oldest that is missing', m.lag_seconds ? `${Number(m.lag_seconds).toFixed(1)} s` : 'None'),
          stat('Mirrored', integer(m.mirrored), `of ${integer(m.head)}`),
        ),
        h('section', {class: 'card', 'aria-label': 'Lag'}, figure),
        card(
          'Figures',
          plainFacts(m, ['enabled', 'state', 'status', 'lag_records', 'lag_seconds', 'mirrored', 'head']),
        ),
      ];
    },
  );
  let timer = null;
  // After an error nothing has asked for the next look.
  function again() {
    if (!ctx.signal.aborted && shown.element.querySelector('.stale'))
      timer = setTimeout(() => shown.reload(true).then(again), POLL_MS);
  }
  ctx.signal.addEventListener('abort', () => clearTimeout(timer));
  return shown.element;
}

function verification(ctx) {
  const result = h('div', {class: 'area', 'aria-live': 'polite'});
  return card(
    'Verify',
    h(
      'p',
      {class: 'note'},
      'Reads the whole journal, and recomputes every hash and balance. It takes a while, one at a time.',
    ),
    h(
      'div',
      {class: 'actions'},
      workButton(ctx, 'Verify the ledger', async () => {
        replace(result, h('p', {role: 'status'}, 'Verifying …'));
        try {
          const report = await ctx.api.post(`${ctx.base}/verify`, {}, {signal: ctx.signal});
          replace(
            result,
            h('div', {class: 'panel good'}, h('b', null, 'All is well')),
            plainFacts(report),
            report.head && facts([['Head', integer(report.head.sequence), ' ', code(report.head.hash)]]),
          );
        } catch (error) {
          if (!ctx.signal.aborted) replace(result, h('p', {class: 'panel bad'}, explain(error)));
        }
      }),
    ),
    result,
  );
}

function backup(ctx) {
  const name = input({
    maxlength: 64,
    value: `backup-${new Date().toISOString().slice(0, 16).replaceAll(/[:T]/g, '-')}`,
  });
  const error = h('p', {class: 'error', 'aria-live': 'polite'});
  return card(
    'Backup',
    h(
      'form',
      {class: 'form', novalidate: true, on: {submit: (event) => event.preventDefault()}},
      field('Name', name, {hint: 'Letters, digits, point, dash, underscore', error}),
      h(
        'div',
        {class: 'actions'},
        workButton(ctx, 'Make a backup', async () => {
          const good = /^[A-Za-z0-9._-]{1,64}$/.test(name.value);
          error.textContent = good ? '' : 'Only letters, digits, point, dash and underscore.';
          if (!good) return;
          const made = await ctx.api.post(
            `${ctx.base}/backup`,
            {name: name.value},
            {fields: {'Idempotency-Key': idempotencyKey()}},
          );
          ctx.notice(`The backup is in ${made.directory}.`);
        }),
      ),
    ),
  );
}

export const mirror = (ctx) => [
  head('Mirror'),
  watch(ctx),
  h('div', {class: 'columns'}, verification(ctx), backup(ctx)),
];
