"""Studies: grids of trainings and audits."""
