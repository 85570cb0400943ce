-- All that the batch settled, one line each, for the parallel run; the key of its pages is line_no.
SELECT line_no, 'CAPTURE' AS kind, payment_id AS item_id, NULL::varchar AS refund_id, merchant_id, currency,
       trim_scale(gross) AS amount, trim_scale(fee) AS fee, status, business_day, captured_at AS happened_at
FROM legacy.captures
UNION ALL
SELECT line_no, 'REFUND', payment_id, refund_id, merchant_id, currency, trim_scale(amount), trim_scale(fee_returned),
       status, business_day, refunded_at
FROM legacy.refunds
UNION ALL
SELECT line_no, 'CHARGEBACK', payment_id, NULL, merchant_id, currency, trim_scale(coalesce(lost_amount, amount)), NULL,
       status, business_day, opened_at
FROM legacy.chargebacks
UNION ALL
SELECT line_no, 'PAYOUT', payout_id, NULL, merchant_id, currency, trim_scale(coalesce(paid_amount, amount)), NULL, status,
       business_day, requested_at
FROM legacy.payouts
UNION ALL
SELECT line_no, 'RETURN', payout_id, NULL, merchant_id, currency, trim_scale(amount), NULL, status, business_day,
       returned_at
FROM legacy.payout_returns
UNION ALL
SELECT line_no, 'ADJUST', adjustment_id, NULL, merchant_id, currency, trim_scale(amount), NULL, status, business_day,
       adjusted_at
FROM legacy.adjustments
