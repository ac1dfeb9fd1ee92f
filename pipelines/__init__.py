"""The Dagster pipelines: definitions, assets, checks, jobs, schedules, sensors and resources, and nothing else."""
