// SPDX-License-Identifier: Apache-2.0
// What happens, as it happens: the server's event stream, opened again whenever it ends. The browser tells the server the last event
// that it had (Last-Event-ID), so nothing is missed while it was away.

const RETRY_MIN = 1000;
const RETRY_MAX = 30000;
// A stream holds one of the six connections that a browser has to a server: tabs that nobody looks at give theirs back.
const HIDDEN_MS = 10000;

export class Live {
  // onState('connecting' | 'live' | 'reconnecting'); onEnded() when the stream was refused: the session may have ended.
  constructor(url, onState, onEnded) {
    this.url = url;
    this.onState = onState;
    this.onEnded = onEnded;
    this.listeners = new Set();
    this.delay = RETRY_MIN;
    this.stopped = false;
    this.controller = new AbortController();
    const {signal} = this.controller;
    document.addEventListener('visibilitychange', () => this.look(), {signal});
    addEventListener('pagehide', () => this.rest(), {signal});
    addEventListener(
      'pageshow',
      (event) => {
        if (event.persisted) this.look();
      },
      {signal},
    );
    this.open('connecting');
  }

  look() {
    clearTimeout(this.resting);
    if (document.hidden) this.resting = setTimeout(() => this.rest(), HIDDEN_MS);
    else if (!this.source) this.open('reconnecting');
  }

  rest() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }

  // listener({kind: 'transaction' | 'reset', data}) until the signal ends it
  on(listener, signal) {
    this.listeners.add(listener);
    signal?.addEventListener('abort', () => this.listeners.delete(listener));
  }

  tell(kind, data) {
    for (const listener of [...this.listeners]) listener({kind, data});
  }

  open(state) {
    if (this.stopped) return;
    this.source?.close();
    this.onState(state);
    const source = new EventSource(this.url);
    this.source = source;
    let opened = false;
    source.addEventListener('open', () => {
      // A stream of the browser's own reconnecting goes on after the last event; a new one begins now, and may have missed some.
      if (!opened && state === 'reconnecting') this.tell('reset', null);
      opened = true;
      this.delay = RETRY_MIN;
      this.onState('live');
    });
    source.addEventListener('transaction', (event) => {
      try {
        this.tell('transaction', JSON.parse(event.data));
      } catch {
        this.tell('reset', null); // it cannot be read: screens ask anew
      }
    });
    source.addEventListener('reset', () => this.tell('reset', null));
    source.addEventListener('error', () => {
      if (this.stopped) return;
      this.onState('reconnecting');
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      this.onEnded();
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.open('reconnecting'), this.delay);
      this.delay = Math.min(this.delay * 2, RETRY_MAX);
    });
  }

  stop() {
    this.stopped = true;
    this.controller.abort();
    clearTimeout(this.resting);
    this.rest();
    this.listeners.clear();
  }
}

// Calls `work` soon after it is told to, and not more often than every `ms`, however often it is told.
export function throttle(work, ms, signal) {
  let timer = null;
  let last = -Infinity;
  signal?.addEventListener('abort', () => clearTimeout(timer));
  return () => {
    if (timer !== null || signal?.aborted) return;
    timer = setTimeout(
      () => {
        timer = null;
        last = performance.now();
        work();
      },
      Math.max(50, last + ms - performance.now()),
    );
  };
}
