"""Effects: what a campaign changed, by draw, by comparable customers, by other places, or why that cannot be said."""
