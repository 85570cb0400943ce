// SPDX-License-Identifier: Apache-2.0
// What screens are built of: areas that load, tables, fields, dialogs.
import {ApiError} from './api.js';
import {append, h, replace, uniqueId} from './dom.js';
import {relative, timeText, utcText, words} from './format.js';

// ---- Small parts ----------------------------------------------------------------------------------------------

const TONES = {
  good: 'paid delivered enabled done closed matched sent ok up_to_date following running live resolved clean applied',
  wait: 'requested submitted pending paused probing parked waiting reopened explained catching_up already_under_way',
  bad: 'failed dead disabled rejected open quarantined stopped error revoked not_found',
};
const TONE_OF = new Map(Object.entries(TONES).flatMap(([tone, names]) => names.split(' ').map((name) => [name, tone])));

export function badge(state, text = words(state), tone = TONE_OF.get(state) ?? 'calm') {
  return h('span', {class: `badge ${tone}`}, text);
}

// In the viewer's zone; in UTC on hover.
export function when(iso, {ago = false} = {}) {
  if (!iso) return h('span', {class: 'none'}, '–');
  return h(
    'time',
    {datetime: iso, title: `${utcText(iso)}${ago ? `\n${timeText(iso)}` : ''}`},
    ago ? relative(iso) : timeText(iso),
  );
}

export const code = (text) => h('code', {class: 'id'}, text);

export function button(text, click, {kind = '', ...props} = {}) {
  return h('button', {type: 'button', class: `button ${kind}`, on: {click}, ...props}, text);
}

export const linkButton = (text, href, {kind = '', ...props} = {}) =>
  h('a', {class: `button ${kind}`, href, ...props}, text);

// A button whose work takes a while: it is off meanwhile, so that nothing is asked twice; an error becomes a notice.
export function workButton(ctx, text, work, options = {}) {
  const made = button(
    text,
    async () => {
      if (made.getAttribute('aria-disabled') === 'true') return;
      made.setAttribute('aria-disabled', 'true');
      try {
        await work();
      } catch (error) {
        ctx.notice(explain(error), 'bad');
      } finally {
        made.removeAttribute('aria-disabled');
      }
    },
    options,
  );
  return made;
}

export function copyButton(text, label = 'Copy') {
  const said = h('span', {'aria-live': 'polite'}, label);
  return h(
    'button',
    {
      type: 'button',
      class: 'button small',
      on: {
        click: async () => {
          try {
            await navigator.clipboard.writeText(text());
            said.textContent = 'Copied';
          } catch {
            said.textContent = 'Select the text and copy it';
          }
          setTimeout(() => {
            said.textContent = label;
          }, 2500);
        },
      },
    },
    said,
  );
}

export function facts(pairs) {
  return h(
    'dl',
    {class: 'facts'},
    pairs.filter(Boolean).map(([name, ...value]) => h('div', null, h('dt', null, name), h('dd', null, value))),
  );
}

export function card(title, ...content) {
  const id = uniqueId('card');
  return h('section', {class: 'card', 'aria-labelledby': id}, h('h2', {id}, title), content);
}

export function stat(label, value, note) {
  return h(
    'div',
    {class: 'stat'},
    h('div', {class: 'label'}, label),
    h('div', {class: 'value'}, value),
    note && h('div', {class: 'note'}, note),
  );
}

// ---- States ---------------------------------------------------------------------------------------------------

export function explain(error) {
  if (!(error instanceof ApiError)) return 'Something went wrong in this page.';
  if (error.status === 0) return `${error.detail} Check the connection and try again.`;
  if (error.status === 401) return 'The session has ended.';
  if (error.status === 403) return error.detail || 'This is not allowed with this sign-in.';
  if (error.status === 404) return error.detail || 'There is nothing here.';
  if (error.status === 412) return 'It was changed elsewhere meanwhile. Load it again and repeat the change.';
  if (error.status === 429) return 'Too many requests at once. Wait a moment and try again.';
  if (error.status >= 500) return error.detail || 'The server could not answer.';
  return error.detail || `The server refused (${error.code}).`;
}

export const loading = () =>
  h(
    'div',
    {class: 'loading', role: 'status'},
    h('span', {class: 'hidden'}, 'Loading'),
    [1, 2, 3].map(() => h('span', {class: 'bone', 'aria-hidden': 'true'})),
  );

export function empty(title, text, ...actions) {
  return h(
    'div',
    {class: 'empty'},
    h('p', {class: 'empty-title'}, title),
    text && h('p', null, text),
    actions.length > 0 && h('p', {class: 'actions'}, actions),
  );
}

export function failed(error, retry) {
  const id = error instanceof ApiError ? error.requestId : null;
  if (!(error instanceof ApiError)) console.error(error);
  return h(
    'div',
    {class: 'failed', role: 'alert'},
    h(
      'p',
      {class: 'empty-title'},
      error.status === 404 ? 'Not found' : error.status === 0 ? 'No connection' : 'This could not be loaded',
    ),
    h('p', null, explain(error)),
    id && h('p', {class: 'note'}, 'Request ', code(id)),
    retry && h('p', {class: 'actions'}, button('Try again', retry)),
  );
}

// A part of a screen that asks the server: loading, then render(data), or the error and a way to try again. reload(true) keeps what is
// shown until the new is there, and, if that fails, with a note.
export function area(ctx, fetch, render) {
  const element = h('div', {class: 'area'});
  let shown = false;
  async function reload(quiet = false) {
    if (!quiet || !shown) replace(element, loading());
    element.setAttribute('aria-busy', 'true');
    try {
      const data = await fetch();
      if (ctx.signal.aborted) return;
      replace(element, render(data));
      shown = true;
    } catch (error) {
      if (ctx.signal.aborted || error.name === 'AbortError') return;
      if (quiet && shown) {
        if (!element.querySelector(':scope > .stale')) {
          element.prepend(
            h(
              'p',
              {class: 'stale', role: 'status'},
              `Not up to date: ${explain(error)} `,
              button('Try again', () => reload(true), {kind: 'small'}),
            ),
          );
        }
      } else {
        replace(
          element,
          failed(error, () => reload()),
        );
        shown = false;
      }
    } finally {
      element.removeAttribute('aria-busy');
    }
  }
  const ready = reload();
  return {element, reload, ready};
}

// ---- Tables ---------------------------------------------------------------------------------------------------

// columns: [{label, cell(row), kind: 'number' | 'main' | 'tight' | 'wrap' | 'slim' | 'text'}]. On phones each row is a card, and each cell has its label.
export function table(caption, columns, rows) {
  const body = h(
    'tbody',
    {role: 'rowgroup'},
    rows.map((row) => tableRow(columns, row)),
  );
  return h(
    'table',
    {class: 'table', role: 'table'},
    h('caption', {class: 'hidden'}, caption),
    h(
      'thead',
      {role: 'rowgroup'},
      h(
        'tr',
        {role: 'row'},
        columns.map(({label, kind, head}) => h('th', {scope: 'col', role: 'columnheader', class: kind}, head ?? label)),
      ),
    ),
    body,
  );
}

export function tableRow(columns, row) {
  return h(
    'tr',
    {role: 'row'},
    columns.map(({label, cell, kind}) =>
      h('td', {role: 'cell', class: kind, 'data-label': label}, h('div', null, cell(row))),
    ),
  );
}

// ---- Fields ---------------------------------------------------------------------------------------------------

export function field(label, control, {hint, error} = {}) {
  control.id ||= uniqueId('field');
  const described = [];
  const parts = [h('label', {for: control.id}, label), control];
  if (hint) {
    const id = `${control.id}-hint`;
    described.push(id);
    parts.push(h('p', {class: 'hint', id}, hint));
  }
  if (error) {
    error.id = `${control.id}-error`;
    described.push(error.id);
    parts.push(error);
  }
  if (described.length) control.setAttribute('aria-describedby', described.join(' '));
  return h('div', {class: 'field'}, parts);
}

export const input = (props) => h('input', {class: 'input', autocomplete: 'off', spellcheck: 'false', ...props});

export function select(options, value, props) {
  const made = h(
    'select',
    {class: 'input', ...props},
    options.map(([name, text]) => h('option', {value: name}, text)),
  );
  made.value = value ?? '';
  if (made.selectedIndex < 0) made.selectedIndex = 0;
  return made;
}

export function check(label, checked, props) {
  const box = h('input', {type: 'checkbox', ...props});
  box.checked = checked;
  return {box, element: h('label', {class: 'check'}, box, h('span', null, label))};
}

// ---- Dialogs --------------------------------------------------------------------------------------------------

// The browser keeps the focus inside, and gives it back. `body(close)` and `actions(close)` make content.
export function openDialog(title, content, {closable = true, onClose} = {}) {
  const id = uniqueId('dialog');
  const dialog = h('dialog', {class: 'dialog', 'aria-labelledby': id});
  const before = document.activeElement;
  const close = () => dialog.close();
  append(dialog, [h('h2', {id}, title), content(close)]);
  dialog.addEventListener('cancel', (event) => {
    if (!closable) event.preventDefault();
  });
  dialog.addEventListener('close', () => {
    dialog.remove(); // with all that it held
    if (before?.isConnected) before.focus();
    onClose?.();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

// Whether, and why: null if not. With `reason`, one must be given.
export function confirm(title, text, action, {danger = false, reason = false} = {}) {
  return new Promise((answer) => {
    let result = null;
    openDialog(
      title,
      (close) => {
        const why = input({maxlength: 500, required: reason});
        const error = h('p', {class: 'error', 'aria-live': 'polite'});
        const go = (event) => {
          event.preventDefault();
          if (reason && !why.value.trim()) {
            error.textContent = 'Say why: it is kept in the log.';
            why.setAttribute('aria-invalid', 'true');
            why.focus();
            return;
          }
          result = why.value.trim();
          close();
        };
        return h(
          'form',
          {novalidate: true, on: {submit: go}},
          [text].flat().map((part) => (part instanceof Node ? part : h('p', null, part))),
          reason && field('Reason', why, {error}),
          h(
            'div',
            {class: 'actions'},
            h('button', {class: `button ${danger ? 'danger' : 'primary'}`}, action),
            button('Cancel', close),
          ),
        );
      },
      {onClose: () => answer(result)},
    );
  });
}

// Something that is shown once: gone from the page with the dialog.
export function showSecret(title, text, secret, extra = null) {
  return new Promise((done) => {
    openDialog(
      title,
      (close) => {
        const shown = h('code', {class: 'secret', tabindex: '0', 'aria-label': 'Secret'}, secret);
        return [
          text.map((line) => h('p', null, line)),
          h(
            'div',
            {class: 'secret-row'},
            shown,
            copyButton(() => secret),
          ),
          extra,
          h('div', {class: 'actions'}, button('I have stored it', close, {kind: 'primary'})),
        ];
      },
      {closable: false, onClose: done},
    );
  });
}

// Counts down to a time, once a second; `text(seconds)` at each.
export function countdown(iso, text, over, signal) {
  const element = h('span', {class: 'countdown', role: 'timer'});
  const tick = () => {
    const left = Math.round((new Date(iso) - Date.now()) / 1000);
    element.textContent = left > 0 ? text(left) : over;
    if (left <= 0) clearInterval(timer);
  };
  const timer = setInterval(tick, 1000);
  signal?.addEventListener('abort', () => clearInterval(timer));
  tick();
  return element;
}
