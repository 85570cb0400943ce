// SPDX-License-Identifier: Apache-2.0
// How deliveries are tried again: the editor, its preview, and the merchant's default.
import {h, replace} from '../shared/dom.js';
import {duration} from '../shared/format.js';
import {head} from '../shared/shell.js';
import {area, explain, field, input, select, workButton} from '../shared/ui.js';

const UNITS = {s: 1, sec: 1, min: 60, m: 60, h: 3600, d: 86400};
const DOUBLING = {
  initial_seconds: 5,
  multiplier: 2,
  cap_seconds: 3600,
  max_attempts: 12,
  max_age_seconds: 259200,
  jitter: 'equal',
};
const FIXED = [0, 5, 300, 1800, 7200, 18000, 36000];

// "0 s, 5 min, 2 h" -> [0, 300, 7200]; null if it cannot be read
export function readDelays(text) {
  const delays = text.split(',').map((piece) => {
    const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/.exec(piece.trim().toLowerCase());
    const unit = match && UNITS[match[2] || 's'];
    return unit ? Math.round(Number(match[1]) * unit) : null;
  });
  return delays.length && delays.every((delay) => delay !== null) ? delays : null;
}

const LABELS = [
  ['initial_seconds', 'First delay, seconds'],
  ['multiplier', 'Multiplied by'],
  ['cap_seconds', 'At most, seconds'],
  ['max_attempts', 'Attempts at most'],
  ['max_age_seconds', 'Give up after, seconds'],
];

// `standard`: what no policy of one's own is called. -> {element, value(): POL | null, throws Error(text)}
export function policyEditor(ctx, policy, standard) {
  const doubling = policy?.retry && !policy.retry.delays_seconds;
  const kind = select(
    [
      ['', standard],
      ['doubling', 'Growing delays'],
      ['fixed', 'Fixed delays'],
    ],
    policy ? (doubling ? 'doubling' : 'fixed') : '',
  );
  const numbers = new Map(
    LABELS.map(([name]) => [
      name,
      input({
        type: 'number',
        min: 0,
        step: name === 'multiplier' ? 0.1 : 1,
        value: (doubling ? policy.retry : DOUBLING)[name],
      }),
    ]),
  );
  const delays = input({value: (policy?.retry?.delays_seconds ?? FIXED).map(duration).join(', ')});
  const limits = new Map(
    [
      ['timeout_seconds', ['Timeout, seconds', 15]],
      ['max_concurrent', ['At the same time, at most', 8]],
      ['max_per_second', ['A second, at most (0: no limit)', 0]],
      ['burst', ['At once, at most', 10]],
    ].map(([name, [label, value]]) => [
      name,
      {label, control: input({type: 'number', min: 0, value: policy?.[name] ?? value})},
    ]),
  );
  const result = h('div', {class: 'area', 'aria-live': 'polite'});
  const own = h('div', {class: 'area'});

  function number(control, label) {
    const value = Number(control.value);
    if (control.value === '' || !Number.isFinite(value) || value < 0) {
      control.focus();
      throw new Error(`${label}: a number is needed.`);
    }
    return value;
  }
  function value() {
    if (!kind.value) return null;
    const made = {};
    if (kind.value === 'fixed') {
      const read = readDelays(delays.value);
      if (!read) {
        delays.focus();
        throw new Error('Delays: write them as in “0 s, 5 s, 5 min, 2 h”.');
      }
      made.retry = {delays_seconds: read};
    } else {
      made.retry = Object.fromEntries(LABELS.map(([name, label]) => [name, number(numbers.get(name), label)]));
      made.retry.jitter = doubling ? policy.retry.jitter : DOUBLING.jitter;
    }
    for (const [name, {label, control}] of limits) made[name] = number(control, label);
    return made;
  }
  async function preview() {
    try {
      const plan = await ctx.api.post(`${ctx.base}/policy/preview`, value(), {signal: ctx.signal});
      replace(
        result,
        h(
          'div',
          {class: 'panel'},
          h('b', null, 'If it keeps failing, it is tried'),
          h(
            'ol',
            {class: 'picks'},
            plan.attempts_at_seconds.map((at, i) =>
              h('li', null, `${i + 1}. `, at === 0 ? 'at once' : `after ${duration(at)}`),
            ),
          ),
          h(
            'p',
            null,
            `and given up after ${duration(plan.gives_up_after_seconds)}. It is then a dead letter, which can be sent again.`,
          ),
        ),
      );
    } catch (error) {
      if (error.name !== 'AbortError')
        replace(result, h('p', {class: 'error'}, error.status === undefined ? error.message : explain(error)));
    }
  }
  function draw() {
    replace(result);
    replace(
      own,
      kind.value === 'doubling' &&
        h(
          'div',
          {class: 'form-row'},
          LABELS.map(([name, label]) => field(label, numbers.get(name))),
        ),
      kind.value === 'fixed' &&
        field('Delay before each attempt', delays, {hint: 'The first one too, so that 0 s is at once: 0 s, 5 s, 5 min, 2 h'}),
      kind.value &&
        h(
          'div',
          {class: 'form-row'},
          [...limits.values()].map(({label, control}) => field(label, control)),
        ),
      kind.value && h('div', {class: 'actions'}, workButton(ctx, 'Preview the schedule', preview)),
      result,
    );
  }
  kind.addEventListener('change', draw);
  draw();
  return {element: h('fieldset', null, h('legend', null, 'Retry schedule'), field('Which', kind), own), value};
}

export function defaultPolicy(ctx) {
  const shown = area(
    ctx,
    () => ctx.api.get(`${ctx.base}/policy`, {}, {signal: ctx.signal}),
    (policy) => {
      const editor = policyEditor(ctx, policy, 'The platform’s standard');
      const error = h('p', {class: 'error', role: 'alert'});
      return h(
        'form',
        {
          class: 'form card',
          novalidate: true,
          on: {
            submit: async (event) => {
              event.preventDefault();
              error.textContent = '';
              try {
                await ctx.api.put(`${ctx.base}/policy`, editor.value());
                ctx.notice('Saved. It holds for endpoints without a policy of their own.');
              } catch (problem) {
                error.textContent = problem.status === undefined ? problem.message : explain(problem);
              }
            },
          },
        },
        editor.element,
        error,
        h('div', {class: 'actions'}, h('button', {class: 'button primary'}, 'Save')),
      );
    },
  );
  return [
    head('Default retry policy', {
      back: ['/endpoints', 'Endpoints'],
      lead: 'For all endpoints that have none of their own.',
    }),
    shown.element,
  ];
}
