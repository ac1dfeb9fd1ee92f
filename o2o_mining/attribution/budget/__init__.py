"""Budgets: what one more unit of money would bring in each channel, and what to test next."""
