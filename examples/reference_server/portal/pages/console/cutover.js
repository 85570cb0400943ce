// SPDX-License-Identifier: Apache-2.0
// Who settles: raised step by step, with what it moves seen first, and taken back with one button.
import {dial} from '../shared/chart.js';
import {h, replace} from '../shared/dom.js';
import {integer, money} from '../shared/format.js';
import {throttle} from '../shared/live.js';
import {head} from '../shared/shell.js';
import {
  area,
  badge,
  card,
  check,
  code,
  confirm,
  empty,
  explain,
  facts,
  field,
  input,
  table,
  when,
  workButton,
} from '../shared/ui.js';
import {overrides} from './overrides.js';

const ALL = 10000;
const LOG_PAGE = 1000;
const LOG_SHOWN = 100;
const share = (points) => `${(points / 100).toFixed(points % 100 ? 2 : 0)} %`;

function amounts(units) {
  const list = Array.isArray(units)
    ? units
    : Object.entries(units ?? {}).map(([asset, value]) => ({asset, units: value}));
  return list.length ? list.map((amount) => h('div', null, money(amount))) : '–';
}

function preview(p) {
  return h(
    'div',
    {class: 'area'},
    facts([
      ['Merchants now', `${integer(p.now.merchants)} of ${integer(p.merchants)}`],
      ['Merchants then', `${integer(p.then.merchants)} of ${integer(p.merchants)}`],
      ['Value now', amounts(p.now.units)],
      ['Value then', amounts(p.then.units)],
      ['Value of all', amounts(p.units)],
    ]),
    p.moved?.length > 0 &&
      h(
        'details',
        null,
        h('summary', null, `${integer(p.moved.length)} merchants change sides`),
        h('p', {class: 'note'}, p.moved.join(', ')),
      ),
  );
}

// One button each, first on the page: a rollback is not to be searched for.
function switches(ctx, status, act) {
  const force = check('Even if the gate is closed', false);
  const one = (on, [offText, offTitle, offWhat, offVerb], [onText, onTitle, onWhat, onVerb]) =>
    on
      ? workButton(ctx, onText, () =>
          act(onVerb, onTitle, onWhat, onText, onVerb === 'resume-routing' && force.box.checked ? {force: true} : {}),
        )
      : workButton(ctx, offText, () => act(offVerb, offTitle, offWhat, offText, {}, true), {kind: 'danger'});
  return h(
    'section',
    {class: 'card', 'aria-label': 'Rollback'},
    h(
      'div',
      {class: 'actions'},
      one(
        status.routed_to_batch,
        [
          'Route to batch',
          'Route everything to the batch?',
          'From now on every new payout goes to the batch system, whatever the threshold. What this ledger has taken on, it finishes.',
          'route-to-batch',
        ],
        [
          'Resume routing',
          'Route by the threshold again?',
          `New payouts of ${share(status.threshold)} of merchants come here again.`,
          'resume-routing',
        ],
      ),
      one(
        status.sending_stopped,
        [
          'Stop sending',
          'Stop sending payouts?',
          'Nothing more is submitted to the bank. Payouts that were submitted are still asked about.',
          'stop-sending',
        ],
        ['Resume sending', 'Send payouts again?', 'What has waited is submitted to the bank.', 'resume-sending'],
      ),
    ),
    status.routed_to_batch && [
      force.element,
      h('p', {class: 'panel bad'}, 'Everything new is routed to the batch. To resume, the gate must be open, or be passed over.'),
    ],
    status.sending_stopped &&
      h('p', {class: 'panel bad'}, `Sending is stopped; ${integer(status.sending)} submissions are still under way.`),
  );
}

function turner(ctx, status, act) {
  const start = status.stages.find((stage) => stage > status.threshold) ?? status.threshold;
  const slider = input({type: 'range', min: 0, max: ALL, step: 1, class: '', list: 'stages'});
  slider.value = start;
  const exact = input({type: 'number', min: 0, max: 100, step: 0.01, value: start / 100});
  const face = h('div');
  const shown = h('div', {class: 'area', 'aria-live': 'polite'});
  const force = check('Even if the gate is closed', false);
  const buttons = h('div', {class: 'actions'});
  let asked = 0;
  const ask = throttle(
    async () => {
      const turn = ++asked;
      try {
        const p = await ctx.api.get(`${ctx.base}/cutover/preview`, {threshold: slider.value}, {signal: ctx.signal});
        if (turn === asked) replace(shown, preview(p));
      } catch (error) {
        if (!ctx.signal.aborted && turn === asked) replace(shown, h('p', {class: 'error'}, explain(error)));
      }
    },
    300,
    ctx.signal,
  );
  function draw() {
    const value = Number(slider.value);
    replace(
      face,
      dial(status.threshold, value),
      h(
        'p',
        {class: 'dial-value'},
        value === status.threshold ? share(value) : `${share(status.threshold)} → ${share(value)}`,
      ),
    );
    const more = value > status.threshold;
    replace(
      buttons,
      value === status.threshold
        ? h('p', {class: 'note'}, 'Choose another share to change it.')
        : more
          ? workButton(
              ctx,
              `Raise to ${share(value)}`,
              () =>
                act(
                  'raise',
                  `Raise to ${share(value)}?`,
                  `New payouts of ${share(value)} of merchants are settled here, instead of ${share(status.threshold)}.`,
                  'Raise',
                  {threshold: value, ...(force.box.checked ? {force: true} : {})},
                ),
              {kind: 'primary'},
            )
          : workButton(ctx, `Lower to ${share(value)}`, () =>
              act(
                'lower',
                `Lower to ${share(value)}?`,
                `New payouts of ${share(value)} of merchants are settled here, instead of ${share(status.threshold)}.`,
                'Lower',
                {threshold: value},
              ),
            ),
    );
    force.element.hidden = !more;
    ask();
  }
  slider.addEventListener('input', () => {
    exact.value = Number(slider.value) / 100;
    draw();
  });
  exact.addEventListener('change', () => {
    slider.value = Math.round(Number(exact.value) * 100);
    exact.value = Number(slider.value) / 100;
    draw();
  });
  draw();
  return h(
    'div',
    {class: 'columns'},
    h(
      'div',
      {class: 'area'},
      face,
      field('Share of merchants', slider),
      h(
        'datalist',
        {id: 'stages'},
        status.stages.map((stage) => h('option', {value: stage})),
      ),
      field('The same in per cent', exact, {hint: `Stages: ${status.stages.map(share).join(', ')}`}),
      force.element,
      buttons,
    ),
    h('div', {class: 'area'}, h('h3', null, 'What it would move'), shown),
  );
}

// The server tells them from the first one on: all are read, since the last ones are what somebody looks for.
async function readLog(ctx) {
  const all = [];
  let cursor = null;
  do {
    const page = await ctx.api.get(`${ctx.base}/cutover/log`, {limit: LOG_PAGE, cursor}, {signal: ctx.signal});
    all.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor);
  return all.reverse();
}

function log(rows) {
  if (!rows.length) return empty('Nothing was changed yet');
  const made = table(
    'Changes of the cutover',
    [
      {label: 'No.', kind: 'main tight', cell: (r) => r.number},
      {label: 'When', cell: (r) => when(r.at)},
      {label: 'Who', cell: (r) => r.actor},
      {label: 'What', cell: (r) => [code(r.action), h('div', null, r.detail)]},
      {label: 'Why', cell: (r) => r.reason},
    ],
    rows.slice(0, LOG_SHOWN),
  );
  return [made, rows.length > LOG_SHOWN && h('p', {class: 'note'}, `The last ${LOG_SHOWN} of ${integer(rows.length)}.`)];
}

function residue(ctx, rows, reload) {
  if (!rows.length) return empty('Nothing is left over', 'Everything that was assigned here is finished.');
  return [
    table(
      'Assigned here and not finished',
      [
        {label: 'Id', kind: 'main', cell: (r) => code(r.id ?? r.assignment?.id)},
        {label: 'Merchant', kind: 'wrap', cell: (r) => r.merchant_id ?? r.assignment?.merchant_id},
        {label: 'Since', cell: (r) => when(r.at ?? r.assignment?.at)},
        {label: 'Claimed by', cell: (r) => r.claim?.system ?? 'Nobody'},
      ],
      rows,
    ),
    h(
      'div',
      {class: 'actions'},
      workButton(ctx, 'Hand unclaimed ones back', async () => {
        const reason = await confirm(
          'Hand back to the batch?',
          'What nobody has claimed is claimed for the batch, which pays it then. What this ledger has claimed stays here.',
          'Hand back',
          {reason: true},
        );
        if (reason === null) return;
        const done = await ctx.api.post(`${ctx.base}/cutover/hand-back`, {
          ids: rows.filter((r) => !r.claim).map((r) => r.id ?? r.assignment.id),
          reason,
        });
        ctx.notice(`${integer(done.handed)} handed back, ${integer(done.kept)} kept.`);
        await reload(true);
      }),
    ),
  ];
}

export function cutover(ctx) {
  const {api, base, signal} = ctx;
  const options = {signal};
  // What is not configured is not asked for.
  const known = (name) => Boolean(ctx.feed.latest?.[name]);
  const left = area(
    ctx,
    async () =>
      known('cutover') && known('claims') ? (await api.get(`${base}/cutover/residue`, {}, options)).data : null,
    (rows) =>
      rows ? residue(ctx, rows, left.reload) : empty('No claims are configured', 'Nobody else claims payouts here.'),
  );
  const changes = area(ctx, async () => (known('cutover') ? readLog(ctx) : []), log);
  async function act(verb, title, what, action, body, danger = false) {
    const reason = await confirm(title, what, action, {danger, reason: true});
    if (reason === null) return;
    await api.post(`${base}/cutover/${verb}`, {reason, ...body});
    ctx.notice('Done. It holds from this moment on.');
    await Promise.all([shown.reload(true), changes.reload(true), left.reload(true)]);
  }
  // The settings count them, and the log has their lines.
  const single = known('cutover') && overrides(ctx, () => Promise.all([shown.reload(true), changes.reload(true)]));
  const more = h(
    'div',
    {class: 'area'},
    card('Left over', left.element),
    single,
    card('Changes', changes.element),
  );
  const shown = area(
    ctx,
    () => api.get(`${base}/cutover`, {}, options),
    (status) => {
      more.hidden = !status.enabled;
      if (!status.enabled) return empty('No cutover is configured', 'It needs a salt in the server’s settings.');
      return [
        switches(ctx, status, act),
        h(
          'div',
          {class: 'panel'},
          h(
            'div',
            {class: 'actions'},
            badge('epoch', `Epoch ${status.epoch}`),
            h(
              'span',
              null,
              `${integer(status.merchants)} merchants known, ${integer(status.allowed)} always here, ${integer(status.denied)} never, ${integer(status.residue)} unfinished`,
            ),
          ),
        ),
        card('Share of merchants that are settled here', turner(ctx, status, act)),
      ];
    },
  );
  return [head('Cutover'), shown.element, more];
}
