"""Stripe as a source: its webhooks become events of the log, and so entries of the ledgers of payments and subscriptions."""
