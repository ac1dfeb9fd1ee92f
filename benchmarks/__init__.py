"""What is measured, and against whom; never part of the test run."""
