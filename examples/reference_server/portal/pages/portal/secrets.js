// SPDX-License-Identifier: Apache-2.0
// Secrets are shown once, when they are made. What is known afterwards is until when the one before is good.
import {path} from '../shared/api.js';
import {h} from '../shared/dom.js';
import {duration} from '../shared/format.js';
import {list} from '../shared/list.js';
import {head} from '../shared/shell.js';
import {button, countdown, explain, field, openDialog, select, showSecret, when} from '../shared/ui.js';
import {endpointLink} from './endpoints.js';

// Rotations of this page's lifetime, by endpoint: the end of the overlap.
const overlaps = new Map();

const scheme = (name) => (name === 'v1a' ? 'v1a (Ed25519)' : 'v1 (HMAC-SHA256)');

export function showNewSecret(e, secret, oldValidUntil) {
  const text =
    e.scheme === 'v1a'
      ? ['This is the public key that your endpoint checks signatures with. It is shown here now.']
      : [
          'This is the secret that your endpoint checks signatures with. It is shown this once: store it where your endpoint reads it.',
        ];
  const extra =
    oldValidUntil &&
    h(
      'p',
      {class: 'panel wait'},
      countdown(
        oldValidUntil,
        (left) =>
          `The secret of before is good for another ${duration(left)}: messages carry both signatures until then.`,
        'The secret of before is not good any more.',
      ),
    );
  return showSecret(`Secret of ${new URL(e.url).host}`, text, secret, extra);
}

export function overlapNote(id, signal) {
  const until = overlaps.get(id);
  if (!until || new Date(until) <= Date.now()) return null;
  return countdown(
    until,
    (left) => `Both secrets are good for another ${duration(left)}`,
    'The secret of before is not good any more',
    signal,
  );
}

// Asks for how long both are to be good, makes the new one, shows it; `done` after.
export function rotate(ctx, e, done) {
  let made = null;
  openDialog(
    'Rotate the secret',
    (close) => {
      const overlap = select(
        [
          ['0', 'Not at all: the old one ends now'],
          ['3600', 'An hour'],
          ['86400', 'A day'],
          ['259200', 'Three days'],
          ['604800', 'A week'],
        ],
        '86400',
      );
      const kind = select(
        [
          ['v1', scheme('v1')],
          ['v1a', scheme('v1a')],
        ],
        e.scheme,
      );
      const error = h('p', {class: 'error', role: 'alert'});
      let busy = false;
      return h(
        'form',
        {
          novalidate: true,
          on: {
            submit: async (event) => {
              event.preventDefault();
              if (busy) return;
              busy = true;
              error.textContent = '';
              try {
                made = await ctx.api.post(`${ctx.base}${path`/endpoints/${e.id}/rotate-secret`}`, {
                  overlap_seconds: Number(overlap.value),
                  scheme: kind.value,
                });
                close();
              } catch (problem) {
                error.textContent = explain(problem);
              } finally {
                busy = false;
              }
            },
          },
        },
        h(
          'p',
          null,
          'A new secret is made and shown once. While both are good, each message carries a signature for each, so that your endpoint can change over without missing one.',
        ),
        field('The old one stays good for', overlap),
        field('Signatures', kind),
        error,
        h('div', {class: 'actions'}, h('button', {class: 'button primary'}, 'Rotate'), button('Cancel', close)),
      );
    },
    {
      onClose: async () => {
        if (!made) return;
        if (made.old_valid_until) overlaps.set(e.id, made.old_valid_until);
        const {endpoint, secret, old_valid_until: until} = made;
        made = null;
        await showNewSecret(endpoint, secret, until);
        done();
      },
    },
  );
}

export function secrets(ctx) {
  const shown = list(ctx, {
    caption: 'Secrets of endpoints',
    place: `${ctx.base}/endpoints`,
    key: (e) => e.id,
    columns: [
      {label: 'Endpoint', kind: 'main wrap', cell: endpointLink},
      {label: 'Signatures', cell: (e) => scheme(e.scheme)},
      {label: 'Secret', cell: (e) => overlapNote(e.id, ctx.signal) ?? '••••••••••••'},
      {label: 'Changed', cell: (e) => when(e.updated_at)},
      {
        label: 'Rotate',
        kind: 'tight',
        cell: (e) =>
          button('Rotate', () => rotate(ctx, e, () => shown.reload(true)), {
            kind: 'small',
            'aria-label': `Rotate the secret of ${e.url}`,
          }),
      },
    ],
    emptyTitle: 'No endpoints yet',
    emptyText: 'Each endpoint has a secret of its own, made with it.',
  });
  return [
    head('Secrets', {
      lead: 'Each message is signed, so that your endpoint can tell it from anybody else’s. A secret is shown once, when it is made; if it is lost, rotate it.',
    }),
    shown.element,
  ];
}
