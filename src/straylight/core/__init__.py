"""What everything stands on: errors, tensors, norms, files, progress."""
