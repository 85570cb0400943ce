// SPDX-License-Identifier: Apache-2.0
// The server's names, in a merchant's words.
import {words} from '../shared/format.js';

const PAYOUT = {
  insufficient_funds: 'The available balance was smaller than the payout.',
  account_frozen: 'The account is frozen: no money may leave it.',
  account_closed: 'The account is closed.',
  account_not_found: 'The merchant has no account in this currency.',
  asset_mismatch: 'The payout is in another currency than the account.',
  zero_amount: 'A payout must be of more than nothing.',
  amount_too_large: 'The amount is beyond what one payout may have.',
  target_resolved: 'The payout had already come to its end.',
};
export const payoutReason = (reason) => PAYOUT[reason] ?? (reason ? `${words(reason)}.` : '');

const STATES = {
  requested: 'The money is held. The bank has not been told yet.',
  submitted: 'The bank has been told. Its final answer has not come yet.',
  paid: 'The bank has paid it.',
  failed: 'The bank did not execute it, and the money is available again.',
  canceled: 'It was canceled, and the money is available again.',
  returned: 'It was paid, and came back from the receiving bank.',
  rejected: 'It was refused before anything was sent to the bank.',
};
export const payoutState = (state) => STATES[state] ?? '';

const FAILURES = {
  invalid_url: 'The address cannot be used.',
  invalid_request: 'The request could not be made.',
  dns: 'The host name could not be resolved.',
  blocked_address: 'The host leads to an address that is not public.',
  blocked_port: 'The port is not allowed.',
  connect: 'No connection could be made.',
  tls: 'The TLS handshake failed: look at the certificate.',
  timeout: 'No answer came in time.',
  send: 'The connection broke while the request was sent.',
  receive: 'The connection broke before the answer was whole.',
  headers_too_large: 'The answer’s headers are too large.',
  aborted: 'The attempt was cut short by a restart; it is made again.',
  internal: 'The attempt failed on our side; it is made again.',
  status: 'The endpoint answered with an error.',
  redirect: 'The endpoint answered with a redirect, which is not followed.',
  gone: 'The endpoint answered 410 Gone, which ends deliveries to it.',
  throttled: 'The endpoint asked for fewer requests.',
  unknown: 'It is not known how the attempt ended; it is made again.',
  disabled: 'The endpoint was disabled.',
};
export const failureText = (failure) => (failure ? (FAILURES[failure] ?? `${words(failure)}.`) : 'Delivered.');
// In a word: "HTTP 503", "Timeout"
export function resultText(failure, status) {
  if (!failure) return status ? `HTTP ${status}` : '–';
  if (failure === 'status' && status) return `HTTP ${status}`;
  return `${words(failure)}${status ? `, HTTP ${status}` : ''}`;
}

const DISABLED = {
  by_hand: 'It was disabled by hand.',
  gone: 'It answered 410 Gone, which says that it wants no more deliveries.',
  failing: 'Every delivery to it has failed for too long.',
};
export const disabledText = (reason) => DISABLED[reason] ?? words(reason);

const TYPES = {
  'payment.captured': 'A payment was captured: its gross amount is yours, less the fee.',
  'payment.refunded': 'A payment was refunded, in whole or in part.',
  'dispute.opened': 'A payment is disputed; its amount is held.',
  'dispute.lost': 'A dispute was lost: the held amount is gone.',
  'dispute.won': 'A dispute was won: the held amount is available again.',
  'payout.requested': 'A payout was requested; its amount is held.',
  'payout.rejected': 'A payout was refused before the bank was told.',
  'payout.paid': 'The bank has paid a payout.',
  'payout.failed': 'The bank did not execute a payout; the money is available again.',
  'payout.canceled': 'A payout was canceled; the money is available again.',
  'payout.returned': 'A payout came back from the receiving bank.',
  'adjustment.applied': 'A correction by hand, in your favour or not.',
  'webhook.test': 'What “Send test” sends.',
  'endpoint.disabled': 'Another endpoint of yours was disabled.',
};
export const typeText = (type) =>
  TYPES[type] ?? (/_rejected$|\.rejected$/.test(type) ? 'The event was refused by the ledger; nothing moved.' : '');
