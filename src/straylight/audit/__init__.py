"""Audits: plan, run, resume, results, and their files."""
