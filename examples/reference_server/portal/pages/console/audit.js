// SPDX-License-Identifier: Apache-2.0
import {list} from '../shared/list.js';
import {h} from '../shared/dom.js';
import {head} from '../shared/shell.js';
import {code, when} from '../shared/ui.js';

export function auditLog(ctx) {
  const shown = list(ctx, {
    place: `${ctx.base}/audit-log`,
    caption: 'Audit log',
    key: (line) => line.number,
    columns: [
      {label: 'No.', kind: 'main tight', cell: (line) => line.number},
      {label: 'When', cell: (line) => when(line.at)},
      {label: 'Who', kind: 'slim', cell: (line) => line.actor},
      {label: 'Action', kind: 'tight', cell: (line) => code(line.action)},
      {label: 'On', kind: 'slim', cell: (line) => line.subject || '–'},
      {label: 'Detail', kind: 'text', cell: (line) => line.detail || '–'},
      {label: 'Hash', cell: (line) => h('code', {title: line.hash}, `${String(line.hash).slice(0, 10)}…`)},
    ],
    emptyTitle: 'Nothing yet',
    emptyText: 'Every change by an operator is written here before it is made, and after.',
  });
  return [head('Audit log', {lead: 'Newest first. Each line’s hash covers the line before it.'}), shown.element];
}
