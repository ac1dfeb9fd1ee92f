"""The declaration of every feed and every table: what the columns are, mean and promise."""
