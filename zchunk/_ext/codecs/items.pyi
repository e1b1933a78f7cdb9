"""The items of a region one after the other; for other extension modules only."""
