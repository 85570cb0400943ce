// SPDX-License-Identifier: Apache-2.0
import {path} from '../shared/api.js';
import {h} from '../shared/dom.js';
import {Router} from '../shared/router.js';
import {head} from '../shared/shell.js';
import {area, card, empty, field, linkButton, select, table, workButton} from '../shared/ui.js';
import {typeText} from './reasons.js';

function tester(ctx, endpoints) {
  const able = endpoints.filter((e) => e.state !== 'disabled');
  if (!able.length)
    return empty('No endpoint can be tested', 'Add one, or enable one.', linkButton('Endpoints', '#/endpoints'));
  const where = select(
    able.map((e) => [e.id, e.url]),
    able[0].id,
  );
  return h(
    'div',
    {class: 'form'},
    field('Endpoint', where),
    h(
      'div',
      {class: 'actions'},
      workButton(
        ctx,
        'Send test',
        async () => {
          const {message_id: id} = await ctx.api.post(`${ctx.base}${path`/endpoints/${where.value}/test`}`);
          ctx.notice('A test is on its way.');
          Router.go(path`/deliveries/${where.value}/${id}`);
        },
        {kind: 'primary'},
      ),
    ),
  );
}

export function eventCatalogue(ctx) {
  const options = {signal: ctx.signal};
  const types = area(
    ctx,
    async () => (await ctx.api.get('/v1/event-types', {}, options)).data,
    (list) =>
      table(
        'Events',
        [
          {label: 'Event', kind: 'main tight', cell: (type) => h('code', null, type)},
          {label: 'When', cell: (type) => typeText(type) || '–'},
        ],
        list,
      ),
  );
  const endpoints = area(
    ctx,
    async () => (await ctx.api.get(`${ctx.base}/endpoints`, {limit: 1000}, options)).data,
    (list) => tester(ctx, list),
  );
  return [
    head('Events', {lead: 'What endpoints can be told. Patterns such as payout.* take all of a kind.'}),
    card('Send a test', endpoints.element),
    card('Catalogue', types.element),
  ];
}
