// SPDX-License-Identifier: Apache-2.0
// What stands around the screens: navigation, the state of the connection, notices, and where the focus goes.
import {h, replace} from './dom.js';
import {button, failed} from './ui.js';

const NOTICE_MS = 8000;

export class Shell {
  // nav: [[path, text], ...]; the page has elements of the ids used here (index.html)
  constructor(product, nav) {
    this.product = product;
    this.main = document.getElementById('main');
    this.navigation = document.getElementById('nav');
    this.account = document.getElementById('account');
    this.connection = document.getElementById('connection');
    this.polite = document.getElementById('polite');
    this.notices = document.getElementById('notices');
    this.toggle = document.getElementById('menu');
    this.links = nav.map(([path, text]) => [path, h('a', {href: `#${path}`}, text)]);
    replace(
      this.navigation,
      h(
        'ul',
        null,
        this.links.map(([, link]) => h('li', null, link)),
      ),
      this.account,
    );
    this.toggle.addEventListener('click', () => this.openMenu(this.toggle.getAttribute('aria-expanded') !== 'true'));
    this.navigation.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      this.openMenu(false);
      this.toggle.focus();
    });
    document.getElementById('skip').addEventListener('click', (event) => {
      event.preventDefault(); // the hash is the screen's
      this.focusHeading();
    });
    this.controller = new AbortController();
    this.first = true;
  }

  openMenu(open) {
    this.toggle.setAttribute('aria-expanded', String(open));
    document.body.classList.toggle('menu-open', open);
  }

  // Whether there is somebody: without, there is no navigation.
  setSignedIn(signedIn, ...account) {
    document.body.classList.toggle('signed-out', !signedIn);
    replace(this.account, account);
    if (!signedIn) this.setConnection(null);
  }

  setConnection(state) {
    const text = {connecting: 'Connecting …', live: 'Live', reconnecting: 'Reconnecting …'}[state];
    if (this.connection.dataset.state === (state ?? '')) return;
    this.connection.dataset.state = state ?? '';
    replace(this.connection, text && [h('i', {class: 'dot', 'aria-hidden': 'true'}), h('span', null, text)]);
  }

  // To screen readers, without interrupting.
  announce(text) {
    this.polite.textContent = '';
    setTimeout(() => {
      this.polite.textContent = text;
    }, 30);
  }

  // For everybody; errors stay until they are closed.
  notice(text, tone = 'good') {
    const made = h(
      'div',
      {class: `notice ${tone}`},
      h('span', null, text),
      button('Close', () => made.remove(), {kind: 'small quiet', 'aria-label': 'Close this notice'}),
    );
    this.notices.append(made);
    if (tone !== 'bad') setTimeout(() => made.remove(), NOTICE_MS);
  }

  // screen(context) -> Node | [Node]; what the one before had under way ends.
  show(screen, extra) {
    this.controller.abort();
    this.controller = new AbortController();
    for (const dialog of document.querySelectorAll('dialog[open]')) dialog.close();
    const context = {
      ...extra,
      signal: this.controller.signal,
      announce: (text) => this.announce(text),
      notice: (text, tone) => this.notice(text, tone),
    };
    const section = `/${(extra.path ?? '/').split('/')[1]}`;
    for (const [path, link] of this.links) {
      if (path === section) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
    this.openMenu(false);
    try {
      replace(this.main, screen(context));
    } catch (error) {
      replace(this.main, h('h1', {tabindex: '-1'}, 'Something went wrong'), failed(error));
    }
    const heading = this.main.querySelector('h1');
    document.title = heading ? `${heading.textContent} · ${this.product}` : this.product;
    scrollTo(0, 0);
    if (!this.first) this.focusHeading(); // at the first, the browser reads the page anyway
    this.first = false;
  }

  focusHeading() {
    const heading = this.main.querySelector('h1');
    if (!heading) return;
    heading.tabIndex = -1;
    heading.focus({preventScroll: false});
  }
}

// The head of a screen.
export function head(title, {back, lead, actions = []} = {}) {
  return h(
    'header',
    {class: 'head'},
    back && h('a', {class: 'back', href: `#${back[0]}`}, h('span', {'aria-hidden': 'true'}, '← '), back[1]),
    h(
      'div',
      {class: 'head-row'},
      h('h1', {tabindex: '-1'}, title),
      actions.length > 0 && h('div', {class: 'actions'}, actions),
    ),
    lead && h('p', {class: 'lead'}, lead),
  );
}
