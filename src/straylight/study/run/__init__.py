"""Running a study's cells."""
