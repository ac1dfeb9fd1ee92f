"""What holds for all tests."""

import gc

# A run makes many small objects and few circles: looking for circles took a fifth of the tests' time.
gc.freeze()
gc.set_threshold(50_000, 20, 20)
