"""From the stored bytes of a chunk to the items that are wanted; for other extension modules only."""
