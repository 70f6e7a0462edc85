"""Images and image files, shared by attackers and cohorts."""
