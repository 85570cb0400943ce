// SPDX-License-Identifier: Apache-2.0
// Screens by the address's hash: "#/payouts/po_1?state=paid".

export class Router {
  // routes: [['/payouts/:payout', screen], ...]; show(screen, {path, params, query}) is called at each change.
  constructor(routes, show, missing) {
    this.routes = routes.map(([pattern, screen]) => [pattern.split('/'), screen]);
    this.show = show;
    this.missing = missing;
    addEventListener('hashchange', () => this.update());
  }

  static read(hash = location.hash) {
    const [path, query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s);
    return {path: path || '/', query: Object.fromEntries(new URLSearchParams(query))};
  }

  find(path) {
    const parts = path.split('/');
    for (const [pattern, screen] of this.routes) {
      if (pattern.length !== parts.length) continue;
      const params = {};
      const fits = pattern.every((piece, i) => {
        if (!piece.startsWith(':')) return piece === parts[i];
        try {
          params[piece.slice(1)] = decodeURIComponent(parts[i]);
        } catch {
          return false;
        }
        return parts[i] !== '';
      });
      if (fits) return {screen, params};
    }
    return {screen: this.missing, params: {}};
  }

  update() {
    const {path, query} = Router.read();
    const {screen, params} = this.find(path);
    this.show(screen, {path, params, query});
  }

  // The filters of a list, in the address, so that it can be kept and shared, without leaving the screen.
  static keepQuery(query) {
    const entries = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
    const {path} = Router.read();
    history.replaceState(null, '', entries.length ? `#${path}?${new URLSearchParams(entries)}` : `#${path}`);
  }

  static go(path) {
    location.hash = `#${path}`;
  }
}
