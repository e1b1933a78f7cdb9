"""Where one chunk meets a selection; for other extension modules only."""
