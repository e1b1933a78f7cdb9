"""Read, replace and remove files below an open folder; for other extension modules only."""
