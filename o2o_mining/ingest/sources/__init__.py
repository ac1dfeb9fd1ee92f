"""Where logs come from: one module per source, each turning its files into records of feeds."""
