"""Outcomes: what the three sides got, where people are lost, and what the store brings beside delivery."""
