"""Jobs: the chunks of a plan, read or written by several threads."""
