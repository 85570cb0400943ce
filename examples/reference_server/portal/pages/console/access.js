// SPDX-License-Identifier: Apache-2.0
import {idempotencyKey, path} from '../shared/api.js';
import {h} from '../shared/dom.js';
import {list} from '../shared/list.js';
import {head} from '../shared/shell.js';
import {
  badge,
  button,
  check,
  code,
  confirm,
  explain,
  field,
  input,
  openDialog,
  select,
  showSecret,
  when,
  workButton,
} from '../shared/ui.js';

const SCOPES = ['events:write', 'merchant:read', 'merchant:write', 'portal:link', 'operator:read', 'operator:write'];

const show = (name, key) => showSecret(`Key ${name}`, ['It is shown this once: only its hash is kept.'], key);
const stateOf = (k) => {
  const past = (iso) => iso && new Date(iso) <= Date.now();
  return past(k.revoked_at) ? badge('revoked') : past(k.expires_at) ? badge('expired') : badge('good', 'Good', 'good');
};

// A form in a dialog: send() makes the key, whose secret is shown then.
function dialog(title, parts, action, send, done) {
  let made = null;
  openDialog(
    title,
    (close) => {
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
                made = await send();
                close();
              } catch (problem) {
                error.textContent = problem.status === undefined ? problem.message : explain(problem);
              } finally {
                busy = false;
              }
            },
          },
        },
        parts,
        error,
        h('div', {class: 'actions'}, h('button', {class: 'button primary'}, action), button('Cancel', close)),
      );
    },
    {
      onClose: async () => {
        if (!made) return;
        const {view, key} = made;
        made = null;
        await show(view?.name ?? '', key);
        done();
      },
    },
  );
}

function create(ctx, done) {
  const name = input({maxlength: 64, required: true});
  const merchant = input({placeholder: 'All merchants'});
  const expires = input({type: 'datetime-local'});
  const scopes = SCOPES.map((scope) => [scope, check(scope, false)]);
  const once = idempotencyKey();
  dialog(
    'New key',
    [
      field('Name', name, {hint: 'Letters, digits, point, dash, underscore'}),
      h(
        'fieldset',
        null,
        h('legend', null, 'It may'),
        h(
          'div',
          {class: 'picks'},
          scopes.map(([, {element}]) => element),
        ),
      ),
      field('Only for the merchant', merchant),
      field('Good until', expires, {hint: 'Empty: until it is revoked'}),
    ],
    'Make the key',
    () => {
      const body = {name: name.value.trim(), scopes: scopes.filter(([, {box}]) => box.checked).map(([scope]) => scope)};
      if (!/^[A-Za-z0-9._-]{1,64}$/.test(body.name))
        throw new Error('The name is of letters, digits, point, dash and underscore.');
      if (!body.scopes.length) throw new Error('Choose what it may do.');
      if (merchant.value.trim()) body.merchant_id = merchant.value.trim();
      if (expires.value) body.expires_at = new Date(expires.value).toISOString();
      return ctx.api.post(`${ctx.base}/keys`, body, {fields: {'Idempotency-Key': once}});
    },
    done,
  );
}

function rotate(ctx, k, done) {
  const overlap = select(
    [
      ['0', 'Not at all'],
      ['3600', 'An hour'],
      ['86400', 'A day'],
      ['604800', 'A week'],
    ],
    '86400',
  );
  dialog(
    `Rotate ${k.name}`,
    [field('The old one stays good for', overlap)],
    'Rotate',
    () => ctx.api.post(`${ctx.base}${path`/keys/${k.id}/rotate`}`, {overlap_seconds: Number(overlap.value)}),
    done,
  );
}

export function keys(ctx) {
  const reload = () => shown.reload(true);
  const shown = list(ctx, {
    place: `${ctx.base}/keys`,
    caption: 'Keys',
    key: (k) => k.id,
    columns: [
      {
        label: 'Name',
        kind: 'main',
        cell: (k) => [
          h('b', null, k.name),
          h('div', null, code(k.id)),
          h('div', {class: 'note'}, 'Made ', when(k.created_at, {ago: true})),
        ],
      },
      {label: 'State', cell: stateOf},
      {label: 'May', cell: (k) => k.scopes.map((scope) => h('div', null, scope))},
      {label: 'Merchant', kind: 'wrap', cell: (k) => k.merchant_id ?? 'All'},
      {label: 'Last used', cell: (k) => when(k.last_used_at, {ago: true})},
      {label: 'Good until', cell: (k) => when(k.revoked_at ?? k.expires_at)},
      {
        label: 'Change',
        kind: 'tight',
        cell: (k) =>
          k.revoked_at
            ? h('span', {class: 'none'}, '–')
            : h(
                'div',
                {class: 'actions'},
                button('Rotate', () => rotate(ctx, k, reload), {kind: 'small', 'aria-label': `Rotate ${k.name}`}),
                workButton(
                  ctx,
                  'Revoke',
                  async () => {
                    if (
                      (await confirm(`Revoke ${k.name}?`, 'Whoever uses it is shut out at once.', 'Revoke', {
                        danger: true,
                      })) === null
                    )
                      return;
                    await ctx.api.delete(`${ctx.base}${path`/keys/${k.id}`}`);
                    ctx.notice(`${k.name} was revoked.`);
                    await reload();
                  },
                  {kind: 'small danger', 'aria-label': `Revoke ${k.name}`},
                ),
              ),
      },
    ],
    emptyTitle: 'No keys',
    emptyText: 'The first one was made with the server.',
  });
  return [head('Keys', {actions: [button('New key', () => create(ctx, reload), {kind: 'primary'})]}), shown.element];
}
