"""Credit: which touches led to a purchase, by each model, and what channels and campaigns brought by it."""
