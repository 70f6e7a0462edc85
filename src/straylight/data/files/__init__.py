"""Files of images: found, bounded, decoded."""
