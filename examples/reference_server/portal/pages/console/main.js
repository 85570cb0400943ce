// SPDX-License-Identifier: Apache-2.0
// The operators' console: the key, the routes, and the overview that is asked for every two seconds.
import {Api} from '../shared/api.js';
import {h} from '../shared/dom.js';
import {Router} from '../shared/router.js';
import {head, Shell} from '../shared/shell.js';
import {button, code, empty, explain, field, input, loading} from '../shared/ui.js';
import {keys} from './access.js';
import {auditLog} from './audit.js';
import {cutover} from './cutover.js';
import {mirror} from './mirror.js';
import {overview} from './overview.js';
import {deadLetters, quarantine} from './quarantine.js';
import {discrepancies, discrepancy, days} from './run.js';

const POLL_MS = 2000;
const KEPT = 150; // five minutes
const KEY = 'northwind-operator-key';

const shell = new Shell('Operators’ console', [
  ['/', 'Overview'],
  ['/quarantine', 'Quarantine'],
  ['/dead', 'Dead letters'],
  ['/run', 'Parallel run'],
  ['/cutover', 'Cutover'],
  ['/mirror', 'Mirror'],
  ['/audit', 'Audit log'],
  ['/keys', 'Keys'],
]);
let key = sessionStorage.getItem(KEY); // gone with the tab
const api = new Api(
  () => (key ? {Authorization: `Bearer ${key}`} : {}),
  () => leave('This key is not good any more.'),
);

// What the server says of itself, and has said: {latest, at, history: [{at, rates}]}; screens listen.
const feed = {
  latest: null,
  at: null,
  history: [],
  listeners: new Set(),
  listen(listener, signal) {
    this.listeners.add(listener);
    signal.addEventListener('abort', () => this.listeners.delete(listener));
    if (this.latest) listener();
  },
};
let polling = null;

// Whether it was the first.
function take(latest) {
  const first = !feed.latest;
  feed.latest = latest;
  feed.at = new Date().toISOString();
  feed.history.push({at: feed.at, rates: latest.rates ?? {}});
  if (feed.history.length > KEPT) feed.history.shift();
  for (const listener of [...feed.listeners]) listener();
  return first;
}

async function poll(turn) {
  try {
    const latest = await api.get('/v1/operator/overview');
    if (turn !== polling) return;
    if (take(latest)) router.update();
    shell.setConnection('live');
  } catch {
    if (turn !== polling) return;
    // A hole in the plots is the truth about this time.
    feed.history.push({at: new Date().toISOString(), rates: {}});
    if (feed.history.length > KEPT) feed.history.shift();
    shell.setConnection('reconnecting');
  }
  setTimeout(() => {
    if (turn === polling) poll(turn);
  }, POLL_MS);
}

const routes = [
  ['/', overview],
  ['/quarantine', quarantine],
  ['/dead', deadLetters],
  ['/run', days],
  ['/run/discrepancies', discrepancies],
  ['/run/discrepancies/:id', discrepancy],
  ['/cutover', cutover],
  ['/mirror', mirror],
  ['/audit', auditLog],
  ['/keys', keys],
];
const router = new Router(routes, show, () => [
  head('Not found'),
  empty('There is no such screen', 'The address may be old.', h('a', {href: '#/'}, 'To the overview')),
]);

function show(screen, {path, params, query}) {
  if (!key || !polling) return;
  // Which parts there are, screens know from the overview.
  const shown = feed.latest ? screen : () => [head('Operators’ console'), loading()];
  shell.show(shown, {api, feed, base: '/v1/operator', path, params, query});
}

function leave(why = '') {
  key = null;
  polling = null;
  sessionStorage.removeItem(KEY);
  feed.latest = null;
  feed.history = [];
  feed.listeners.clear();
  shell.setSignedIn(false);
  shell.show(() => form(why), {path: '/signin'});
}

function enter() {
  polling = Symbol('poll');
  shell.setSignedIn(
    true,
    h('span', null, 'Key ', code(/^nwk_(key_[0-9a-f]+|[^_]+)/.exec(key)?.[1] ?? 'in use')),
    button('Sign out', () => leave(), {kind: 'small'}),
  );
  poll(polling);
  router.update();
}

function form(why) {
  const typed = input({type: 'password', autocomplete: 'current-password', required: true});
  const error = h('p', {class: 'error', role: 'alert'}, why);
  let busy = false;
  return h(
    'section',
    {class: 'card'},
    head('Sign in', {
      lead: 'With a key that has operator rights. It is kept until this tab is closed, and nowhere else.',
    }),
    h(
      'form',
      {
        class: 'form',
        novalidate: true,
        on: {
          submit: async (event) => {
            event.preventDefault();
            if (busy || !typed.value.trim()) return;
            busy = true;
            error.textContent = '';
            key = typed.value.trim();
            try {
              take(await api.get('/v1/operator/overview', {}, {quiet: true}));
              sessionStorage.setItem(KEY, key);
              typed.value = '';
              enter();
            } catch (problem) {
              key = null;
              error.textContent =
                problem.status === 401
                  ? 'This key is not known, or not good any more.'
                  : problem.status === 403
                    ? 'This key has no operator rights.'
                    : explain(problem);
              typed.focus();
            } finally {
              busy = false;
            }
          },
        },
      },
      field('Operator key', typed, {error}),
      h('div', {class: 'actions'}, h('button', {class: 'button primary'}, 'Sign in')),
    ),
  );
}

if (key) enter();
else leave();
