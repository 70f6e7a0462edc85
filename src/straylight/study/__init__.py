"""Studies: a grid of trainings and audits from one file, resumable, on one core or on a cluster."""
