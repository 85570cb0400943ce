// SPDX-License-Identifier: Apache-2.0
// The server, asked: JSON in and out, problem documents as errors.

export class ApiError extends Error {
  constructor(status, code, detail, requestId) {
    super(detail || code);
    this.status = status; // 0: nothing was answered
    this.code = code;
    this.detail = detail;
    this.requestId = requestId;
  }
}

// path`/v1/merchants/${id}/payouts`: every part encoded
export const path = (strings, ...values) =>
  strings.reduce((text, piece, i) => text + piece + (i < values.length ? encodeURIComponent(values[i]) : ''), '');

// Names without a value are left out: the server takes none that it does not know, and no empty ones.
export function withQuery(place, query) {
  const entries = Object.entries(query ?? {}).filter(
    ([, value]) => value !== null && value !== undefined && value !== '',
  );
  return entries.length ? `${place}?${new URLSearchParams(entries)}` : place;
}

export class Api {
  // `credential()` gives fields for each request that changes something (or all, by its argument); `onUnauthenticated` hears of every
  // 401.
  constructor(credential, onUnauthenticated) {
    this.credential = credential;
    this.onUnauthenticated = onUnauthenticated;
  }

  async send(method, place, {query, body, fields, signal, quiet} = {}) {
    const headers = {Accept: 'application/json', ...this.credential(method), ...fields};
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let response;
    try {
      response = await fetch(withQuery(place, query), {
        method,
        headers,
        signal,
        body: body === undefined ? undefined : JSON.stringify(body),
        // Who shows a key is not also the session that this browser may have: two credentials at once are refused.
        credentials: 'Authorization' in headers ? 'omit' : 'same-origin',
        cache: 'no-store',
        redirect: 'error',
      });
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      throw new ApiError(0, 'network', 'The server cannot be reached.');
    }
    const text = await response.text().catch((error) => {
      if (error.name === 'AbortError') throw error;
      throw new ApiError(0, 'network', 'The connection broke before the answer was whole.');
    });
    const type = response.headers.get('Content-Type') ?? '';
    let parsed = null;
    if (text && /\bjson\b/.test(type)) {
      try {
        parsed = JSON.parse(text);
      } catch {
        throw new ApiError(response.status, 'unreadable', 'The answer could not be read.');
      }
    }
    if (!response.ok) {
      const error = new ApiError(
        response.status,
        parsed?.code ?? 'http',
        parsed?.detail ?? parsed?.title ?? '',
        parsed?.instance ?? response.headers.get('X-Request-Id'),
      );
      if (response.status === 401 && !quiet) this.onUnauthenticated(error);
      throw error;
    }
    return parsed ?? (text || null);
  }

  get(place, query, options) {
    return this.send('GET', place, {query, ...options});
  }
  post(place, body = {}, options) {
    return this.send('POST', place, {body, ...options});
  }
  put(place, body, options) {
    return this.send('PUT', place, {body, ...options});
  }
  patch(place, body, options) {
    return this.send('PATCH', place, {body, ...options});
  }
  delete(place, options) {
    return this.send('DELETE', place, options);
  }
}

// For creations: a repeat after a broken connection makes nothing twice.
export const idempotencyKey = () => crypto.randomUUID();
