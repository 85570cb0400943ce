// SPDX-License-Identifier: Apache-2.0
// An endpoint, added or changed.
import {idempotencyKey, path} from '../shared/api.js';
import {h} from '../shared/dom.js';
import {Router} from '../shared/router.js';
import {head} from '../shared/shell.js';
import {area, button, check, explain, field, input, select} from '../shared/ui.js';
import {policyEditor} from './policy.js';
import {showNewSecret} from './secrets.js';

// What can be told before the server is asked; the server decides.
export function checkUrl(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    return {problem: 'This is not an address. It begins with https://'};
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return {problem: 'The address must begin with https://'};
  if (url.username || url.password) return {problem: 'No name and password in the address: use a header instead.'};
  if (url.hash) return {problem: 'An address with # cannot be told of events.'};
  if (url.protocol === 'http:')
    return {warning: 'Without https, the server takes it only if its operator allows that.'};
  if (/^(localhost|127\.|10\.|192\.168\.|\[)/.test(url.host))
    return {warning: 'This looks like a private address: nothing is sent to one, unless the server’s operator allows that.'};
  return {good: `Requests will go to ${url.host}.`};
}

function urlField(value) {
  // What is said comes when the field is left, as by a click on what stands below: that must not move away under the pointer.
  const said = h('p', {class: 'hint line', 'aria-live': 'polite'});
  const control = input({
    type: 'url',
    inputmode: 'url',
    value,
    placeholder: 'https://shop.example/webhooks',
    required: true,
  });
  function look() {
    const {problem, warning, good} = checkUrl(control.value.trim());
    said.className = problem ? 'error line' : 'hint line';
    said.textContent = problem ?? warning ?? good;
    if (problem) control.setAttribute('aria-invalid', 'true');
    else control.removeAttribute('aria-invalid');
    return !problem;
  }
  control.addEventListener('change', look);
  return {control, look, element: field('Address', control, {error: said})};
}

function eventPicker(types, chosen) {
  const all = check('All events, also those that are added later', chosen.includes('*'));
  const groups = new Map();
  for (const type of types) {
    const group = type.split('.')[0];
    groups.set(group, [...(groups.get(group) ?? []), type]);
  }
  const wholes = new Map();
  const singles = new Map();
  const part = h(
    'div',
    {class: 'area'},
    [...groups].map(([group, members]) => {
      const whole = check(`${group}.*`, chosen.includes(`${group}.*`));
      wholes.set(`${group}.*`, whole.box);
      const boxes = members.map((type) => {
        const one = check(type, chosen.includes(type) || whole.box.checked);
        singles.set(type, one.box);
        one.box.addEventListener('change', () => {
          if (!one.box.checked) whole.box.checked = false;
        });
        return one;
      });
      whole.box.addEventListener('change', () => {
        for (const {box} of boxes) box.checked = whole.box.checked;
      });
      return h(
        'fieldset',
        null,
        h('legend', null, group),
        h(
          'div',
          {class: 'picks'},
          whole.element,
          boxes.map(({element}) => element),
        ),
      );
    }),
  );
  const show = () => {
    part.hidden = all.box.checked;
  };
  all.box.addEventListener('change', show);
  show();
  return {
    element: h('fieldset', null, h('legend', null, 'Events'), all.element, part),
    value() {
      if (all.box.checked) return ['*'];
      const picked = [...wholes].filter(([, box]) => box.checked).map(([pattern]) => pattern);
      return [
        ...picked,
        ...[...singles]
          .filter(([type, box]) => box.checked && !picked.includes(`${type.split('.')[0]}.*`))
          .map(([type]) => type),
      ];
    },
  };
}

// Values of headers are never given out again: they are kept as they are, or all replaced.
function headerEditor(names) {
  const rows = h('div', {class: 'area'});
  const replacing = check(
    names.length ? `Replace the headers (now: ${names.join(', ')})` : 'Send headers of my own',
    false,
  );
  const list = [];
  function add() {
    const name = input({placeholder: 'X-Shop-Key'});
    const value = input({placeholder: 'value'});
    const entry = {name, value};
    const row = h(
      'div',
      {class: 'form-row end'},
      field('Name', name),
      field('Value', value),
      button('Remove', () => {
        list.splice(list.indexOf(entry), 1);
        row.remove();
        more.focus();
      }),
    );
    list.push(entry);
    rows.append(row);
    name.focus();
  }
  const more = button('Add a header', add, {kind: 'small'});
  const part = h('div', {class: 'area', hidden: true}, rows, h('div', {class: 'actions'}, more));
  replacing.box.addEventListener('change', () => {
    part.hidden = !replacing.box.checked;
    if (replacing.box.checked && !list.length) add();
  });
  return {
    element: h('fieldset', null, h('legend', null, 'Headers'), replacing.element, part),
    value: () =>
      replacing.box.checked
        ? list.map(({name, value}) => ({name: name.value.trim(), value: value.value})).filter(({name}) => name)
        : undefined,
  };
}

function form(ctx, types, e) {
  const url = urlField(e?.url ?? '');
  const events = eventPicker(types, e?.events ?? ['*']);
  const headers = headerEditor(e?.headers ?? []);
  const scheme = select(
    [
      ['v1', 'v1: a secret that both sides hold (HMAC-SHA256)'],
      ['v1a', 'v1a: a key pair, of which you hold the public part (Ed25519)'],
    ],
    'v1',
  );
  const policy = policyEditor(ctx, e?.policy ?? null, 'The default');
  const error = h('p', {class: 'error', role: 'alert'});
  const submit = h('button', {class: 'button primary'}, e ? 'Save' : 'Add endpoint');
  const key = idempotencyKey();
  let busy = false;

  async function save() {
    const body = {url: url.control.value.trim(), events: events.value()};
    if (!body.events.length) throw new Error('Choose at least one event.');
    if (headers.value() !== undefined) body.headers = headers.value();
    const own = policy.value();
    if (e) {
      if (own || e.policy) body.policy = own;
      await ctx.api.patch(`${ctx.base}${path`/endpoints/${e.id}`}`, body, {fields: {'If-Match': `"${e.version}"`}});
      ctx.notice('The endpoint was changed.');
      Router.go(path`/endpoints/${e.id}`);
      return;
    }
    if (own) body.policy = own;
    const made = await ctx.api.post(
      `${ctx.base}/endpoints`,
      {...body, scheme: scheme.value},
      {fields: {'Idempotency-Key': key}},
    );
    await showNewSecret(made.endpoint, made.secret, null);
    Router.go(path`/endpoints/${made.endpoint.id}`);
  }
  return h(
    'form',
    {
      class: 'form card',
      novalidate: true,
      on: {
        submit: async (event) => {
          event.preventDefault();
          if (busy) return;
          error.textContent = '';
          if (!url.look()) {
            url.control.focus();
            return;
          }
          busy = true;
          submit.setAttribute('aria-disabled', 'true');
          try {
            await save();
          } catch (problem) {
            error.textContent = problem.status === undefined ? problem.message : explain(problem);
          } finally {
            busy = false;
            submit.removeAttribute('aria-disabled');
          }
        },
      },
    },
    url.element,
    events.element,
    headers.element,
    !e && field('Signatures', scheme),
    policy.element,
    error,
    h(
      'div',
      {class: 'actions'},
      submit,
      h('a', {class: 'button', href: e ? `#${path`/endpoints/${e.id}`}` : '#/endpoints'}, 'Cancel'),
    ),
  );
}

export function endpointForm(ctx) {
  const id = ctx.params.endpoint;
  const place = id && `${ctx.base}${path`/endpoints/${id}`}`;
  const options = {signal: ctx.signal};
  const shown = area(
    ctx,
    () => Promise.all([ctx.api.get('/v1/event-types', {}, options), id ? ctx.api.get(place, {}, options) : null]),
    ([types, e]) => form(ctx, types.data, e),
  );
  return [
    head(id ? 'Change endpoint' : 'Add endpoint', {
      back: id ? [path`/endpoints/${id}`, 'Endpoint'] : ['/endpoints', 'Endpoints'],
    }),
    shown.element,
  ];
}
