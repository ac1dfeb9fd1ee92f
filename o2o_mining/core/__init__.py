"""What every room stands on and what knows none of them: errors, money, moments, settings, the redacting log."""
