// SPDX-License-Identifier: Apache-2.0
import {h, replace} from '../shared/dom.js';
import {path} from '../shared/api.js';
import {integer, words} from '../shared/format.js';
import {DAYS, list} from '../shared/list.js';
import {head} from '../shared/shell.js';
import {area, badge, button, card, check, confirm, empty, openDialog, table, when, workButton} from '../shared/ui.js';
import {failureText, resultText} from './reasons.js';

const MAX_AT_ONCE = 100;
const STATES = ['pending', 'delivered', 'dead', 'canceled'];

const keyOf = (d) => `${d.endpoint_id} ${d.message_id}`;
const detail = (d) => h('a', {href: `#${path`/deliveries/${d.endpoint_id}/${d.message_id}`}`}, d.type);
const host = (url) => {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
};

// What each is called: its host, and if another one has the same, where it is there.
function names(endpoints) {
  const hosts = endpoints.map((e) => host(e.url));
  const alone = (at) => hosts.indexOf(hosts[at]) === hosts.lastIndexOf(hosts[at]);
  return new Map(endpoints.map((e, at) => [e.id, alone(at) ? hosts[at] : e.url.replace(/^https?:\/\//, '')]));
}

const RESENT = {
  sent: 'Sent',
  already_under_way: 'Already under way',
  disabled: 'Its endpoint is disabled',
  not_found: 'Not there any more',
};

function results(data, onClose) {
  const content = (close) => {
    const counts = new Map();
    for (const {status} of data) counts.set(status, (counts.get(status) ?? 0) + 1);
    return [
      h(
        'ul',
        null,
        [...counts].map(([status, count]) =>
          h('li', null, badge(status, RESENT[status] ?? words(status)), ` ${count}`),
        ),
      ),
      h('div', {class: 'actions'}, button('Close', close, {kind: 'primary'})),
    ];
  };
  openDialog('Sent again', content, {onClose});
}

// A list whose rows can be chosen and sent again.
function selectable(ctx, options) {
  const chosen = new Map();
  const bar = h('div', {class: 'actions', role: 'group', 'aria-label': 'What is done with the selected ones'});
  const resend = workButton(
    ctx,
    'Re-send',
    async () => {
      const {data} = await ctx.api.post(`${ctx.base}/deliveries/resend`, {
        deliveries: [...chosen.values()].map((d) => ({endpoint_id: d.endpoint_id, message_id: d.message_id})),
      });
      chosen.clear();
      await shown.reload(true);
      draw();
      // The attempts are still to be made: what came of them by then is shown when this has been read.
      results(data, () => shown.reload(true));
    },
    {kind: 'primary'},
  );
  const every = button('Select all shown', () => {
    const full = chosen.size > 0;
    chosen.clear();
    if (!full) for (const d of shown.rows.slice(0, MAX_AT_ONCE)) chosen.set(keyOf(d), d);
    for (const box of shown.element.querySelectorAll('tbody input[type=checkbox]')) box.checked = chosen.has(box.value);
    draw();
  });
  function draw() {
    resend.disabled = chosen.size === 0;
    resend.textContent = chosen.size ? `Re-send ${chosen.size}` : 'Re-send';
    every.textContent = chosen.size ? 'Select none' : 'Select all shown';
    replace(
      bar,
      every,
      resend,
      chosen.size >= MAX_AT_ONCE && h('span', {class: 'note'}, `At most ${MAX_AT_ONCE} at once`),
    );
  }
  const pick = {
    label: 'Select',
    kind: 'tight',
    head: h('span', {class: 'hidden'}, 'Select'),
    cell: (d) => {
      const {box, element} = check(
        h('span', {class: 'hidden'}, `Select ${d.type} to ${d.endpoint_id}`),
        chosen.has(keyOf(d)),
        {value: keyOf(d)},
      );
      box.addEventListener('change', () => {
        if (box.checked && chosen.size >= MAX_AT_ONCE) box.checked = false;
        else if (box.checked) chosen.set(keyOf(d), d);
        else chosen.delete(keyOf(d));
        draw();
      });
      return element;
    },
  };
  const shown = list(ctx, {
    ...options,
    bar,
    place: `${ctx.base}/deliveries`,
    key: keyOf,
    columns: [pick, ...options.columns],
    changed: (rows) => {
      const known = new Set(rows.map(keyOf));
      for (const id of [...chosen.keys()]) if (!known.has(id)) chosen.delete(id);
      bar.hidden = rows.length === 0;
      draw();
    },
  });
  return shown;
}

const columns = (hosts) => [
  {label: 'Event', kind: 'main', cell: detail},
  {
    label: 'Endpoint',
    kind: 'wrap',
    cell: (d) => h('a', {href: `#${path`/endpoints/${d.endpoint_id}`}`}, hosts.get(d.endpoint_id) ?? d.endpoint_id),
  },
  {label: 'State', cell: (d) => badge(d.state)},
  {label: 'Attempts', kind: 'number', cell: (d) => integer(d.attempts)},
  {label: 'Last result', cell: (d) => resultText(d.last_failure, d.last_status)},
  {label: 'Created', cell: (d) => when(d.created_at)},
];

async function choices(ctx) {
  const [endpoints, types] = await Promise.all([
    ctx.api.get(`${ctx.base}/endpoints`, {limit: 1000}, {signal: ctx.signal}),
    ctx.api.get('/v1/event-types', {}, {signal: ctx.signal}),
  ]);
  return {endpoints: endpoints.data, types: types.data, hosts: names(endpoints.data)};
}

export function deliveries(ctx) {
  const shown = area(
    ctx,
    () => choices(ctx),
    ({endpoints, types, hosts}) => {
      const made = selectable(ctx, {
        caption: 'Deliveries',
        columns: columns(hosts),
        filters: [
          {name: 'endpoint', label: 'Endpoint', type: 'select', options: [...hosts]},
          {name: 'state', label: 'State', type: 'select', options: STATES.map((state) => [state, words(state)])},
          {name: 'type', label: 'Event', type: 'select', options: types.map((type) => [type, type])},
          {name: 'message', label: 'Message', placeholder: 'msg_…'},
          ...DAYS,
        ],
        emptyTitle: 'No deliveries yet',
        emptyText: 'They are made when something happens that an endpoint wants to know.',
      });
      return made.element;
    },
  );
  return [
    head('Deliveries', {
      lead: 'One message to one endpoint each. Whatever is chosen can be sent again, also what arrived.',
    }),
    shown.element,
  ];
}

// ---- Given up -------------------------------------------------------------------------------------------------

function byEndpoint(ctx, endpoints, reload) {
  if (!endpoints.length) return empty('No endpoints');
  return table(
    'Redrive by endpoint',
    [
      {label: 'Endpoint', kind: 'main wrap', cell: (e) => h('a', {href: `#${path`/endpoints/${e.id}`}`}, e.url)},
      {label: 'State', cell: (e) => badge(e.state)},
      {
        label: 'Redrive',
        kind: 'tight',
        cell: (e) =>
          workButton(
            ctx,
            'Redrive all',
            async () => {
              if (
                (await confirm(
                  'Send all its dead letters again?',
                  `Everything that was given up for ${host(e.url)} is tried again, with all its attempts.`,
                  'Redrive',
                )) === null
              )
                return;
              const {redriven} = await ctx.api.post(`${ctx.base}${path`/endpoints/${e.id}/redrive`}`);
              ctx.notice(`${integer(redriven)} are tried again.`);
              await reload(true);
            },
            {kind: 'small', 'aria-label': `Redrive all of ${e.url}`},
          ),
      },
    ],
    endpoints,
  );
}

export function deadLetters(ctx) {
  const shown = area(
    ctx,
    () => choices(ctx),
    ({endpoints, hosts}) => {
      const made = selectable(ctx, {
        caption: 'Dead letters',
        fixed: {state: 'dead'},
        filters: [],
        columns: columns(hosts)
          .map((column) =>
            column.label === 'Last result' ? {...column, cell: (d) => failureText(d.last_failure)} : column,
          )
          .filter(({label}) => label !== 'State'),
        emptyTitle: 'No dead letters',
        emptyText: 'Nothing was given up.',
      });
      return [made.element, card('Whole endpoints', byEndpoint(ctx, endpoints, made.reload))];
    },
  );
  return [
    head('Dead letters', {
      lead: 'Deliveries that were given up after all their attempts. Once the endpoint works again, send them again.',
    }),
    shown.element,
  ];
}
