// SPDX-License-Identifier: Apache-2.0
import {h} from '../shared/dom.js';
import {integer} from '../shared/format.js';
import {list} from '../shared/list.js';
import {head} from '../shared/shell.js';
import {badge, linkButton, when} from '../shared/ui.js';

export const endpointLink = (e) => h('a', {href: `#/endpoints/${encodeURIComponent(e.id)}`}, e.url);

// What is wrong with it, in few words; all is well if nothing is.
export function healthBadge({state, health}) {
  if (state !== 'enabled') return badge(state);
  if (health?.breaker === 'open') return badge('open', 'Failing, backing off', 'bad');
  if (health?.breaker === 'probing') return badge('probing', 'Failing, probing', 'wait');
  if (health?.failing_since)
    return badge('failing', `${integer(health.consecutive_failures)} failures in a row`, 'wait');
  return badge('healthy', 'Healthy', 'good');
}

const COLUMNS = [
  {label: 'Address', kind: 'main wrap', cell: endpointLink},
  {label: 'State', cell: (e) => badge(e.state)},
  {label: 'Health', cell: healthBadge},
  {label: 'Events', cell: (e) => (e.events.includes('*') ? 'All' : e.events.join(', '))},
  {label: 'Changed', cell: (e) => when(e.updated_at)},
];

export function endpoints(ctx) {
  const shown = list(ctx, {
    caption: 'Endpoints',
    place: `${ctx.base}/endpoints`,
    columns: COLUMNS,
    key: (e) => e.id,
    emptyTitle: 'No endpoints yet',
    emptyText: 'An endpoint is an address of yours that is told of events as they happen. Add the first one.',
  });
  return [
    head('Endpoints', {
      lead: 'Addresses of yours that are told what happens.',
      actions: [
        linkButton('Retry policy', '#/endpoints/policy'),
        linkButton('Add endpoint', '#/endpoints/new', {kind: 'primary'}),
      ],
    }),
    shown.element,
  ];
}
