"""Reads, writes and publishes contract tables; the only room that knows a database."""
