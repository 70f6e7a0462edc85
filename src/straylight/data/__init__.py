"""Images and files of images, for attackers and cohorts alike."""
