// SPDX-License-Identifier: Apache-2.0
// The merchant portal: the session, the routes, the stream of what happens.
import {Api, path} from '../shared/api.js';
import {append, h} from '../shared/dom.js';
import {Live} from '../shared/live.js';
import {Router} from '../shared/router.js';
import {head, Shell} from '../shared/shell.js';
import {button, empty, explain, failed, loading, when} from '../shared/ui.js';
import {deadLetters, deliveries} from './deliveries.js';
import {delivery} from './delivery.js';
import {endpoint} from './endpoint.js';
import {endpointForm} from './endpoint_form.js';
import {endpoints} from './endpoints.js';
import {eventCatalogue} from './events.js';
import {overview} from './overview.js';
import {payout, payouts} from './payouts.js';
import {defaultPolicy} from './policy.js';
import {secrets} from './secrets.js';
import {transactions} from './transactions.js';

const shell = new Shell('Merchant portal', [
  ['/', 'Overview'],
  ['/payouts', 'Payouts'],
  ['/transactions', 'Transactions'],
  ['/endpoints', 'Endpoints'],
  ['/deliveries', 'Deliveries'],
  ['/dead', 'Dead letters'],
  ['/secrets', 'Secrets'],
  ['/events', 'Events'],
]);
let session = null; // {merchant_id, csrf_token, expires_at}: in memory only
let live = null;

const api = new Api(
  (method) => (method === 'GET' || !session ? {} : {'X-CSRF-Token': session.csrf_token}),
  () => {
    if (session) leave('ended');
  },
);

const routes = [
  ['/', overview],
  ['/payouts', payouts],
  ['/payouts/:payout', payout],
  ['/transactions', transactions],
  ['/endpoints', endpoints],
  ['/endpoints/new', endpointForm],
  ['/endpoints/policy', defaultPolicy],
  ['/endpoints/:endpoint', endpoint],
  ['/endpoints/:endpoint/edit', endpointForm],
  ['/deliveries', deliveries],
  ['/deliveries/:endpoint/:message', delivery],
  ['/dead', deadLetters],
  ['/secrets', secrets],
  ['/events', eventCatalogue],
];
const router = new Router(routes, show, () => [
  head('Not found'),
  empty('There is no such screen', 'The address may be old.', h('a', {href: '#/'}, 'To the overview')),
]);

// ---- Without a session ----------------------------------------------------------------------------------------

const WITHOUT = {
  missing: ['Sign in', 'Open the portal with the link that your platform gives you. There is no password here.'],
  ended: [
    'Your session has ended',
    'For your safety, sessions end after an hour without use, and after twelve hours in any case. Ask your platform for a new link.',
  ],
  out: ['You are signed out', 'To come back, use a new link of your platform.'],
  link: [
    'This link is not good any more',
    'A sign-in link works once, and for ten minutes. Ask your platform for a new one.',
  ],
};

function plain(content) {
  shell.setSignedIn(false);
  shell.show(() => content, {path: '/signin'});
}

function leave(why) {
  session = null;
  live?.stop();
  live = null;
  const [title, text] = WITHOUT[why];
  plain(
    h(
      'section',
      {class: 'card'},
      head(title, {lead: text}),
      why !== 'link' && h('p', null, button('Look again', start)),
    ),
  );
}

// ---- With one -------------------------------------------------------------------------------------------------

function enter(made) {
  session = made;
  live?.stop();
  shell.setSignedIn(
    true,
    h('span', null, 'Signed in as ', h('b', null, session.merchant_id)),
    h('span', null, 'Session ends ', when(session.expires_at, {ago: true})),
    button('Sign out', signOut, {kind: 'small'}),
  );
  live = new Live(path`/v1/merchants/${session.merchant_id}/live`, (state) => shell.setConnection(state), checkSession);
  router.update();
}

// The stream was refused, or ended: if the session has, the 401 says so to everybody.
const checkSession = () => api.get('/v1/session').catch(() => {});

async function signOut() {
  try {
    await api.delete('/v1/session', {quiet: true});
  } catch (error) {
    if (error.status !== 401) {
      shell.notice(explain(error), 'bad');
      return;
    }
  }
  Router.keepQuery({});
  leave('out');
}

async function signIn(token) {
  plain([h('h1', null, 'Signing in'), loading()]);
  try {
    enter(await api.post('/v1/session', {token}, {quiet: true}));
  } catch (error) {
    if (error.status === 401 || error.status === 400) leave('link');
    else plain([h('h1', null, 'Sign in'), failed(error, () => signIn(token))]);
  }
}

async function start() {
  plain([h('h1', null, 'Merchant portal'), loading()]);
  try {
    enter(await api.get('/v1/session', {}, {quiet: true}));
  } catch (error) {
    if (error.status === 401 || error.status === 403) leave('missing');
    else plain([h('h1', null, 'Merchant portal'), failed(error, start)]);
  }
}

// The token goes from the address before anything else happens: not into the history, nor to a shoulder's view.
function takeToken() {
  const token = /^#\/signin\/([^/?]+)$/.exec(location.hash)?.[1];
  if (token) history.replaceState(null, '', `${location.pathname}#/`);
  return token ? decodeURIComponent(token) : null;
}

function show(screen, {path: place, params, query}) {
  const token = takeToken();
  if (token) {
    signIn(token);
  } else if (session) {
    const base = path`/v1/merchants/${session.merchant_id}`;
    shell.show(screen, {api, live, base, merchant: session.merchant_id, path: place, params, query});
  }
}

append(document.getElementById('main'), loading());
const token = takeToken();
if (token) signIn(token);
else start();
