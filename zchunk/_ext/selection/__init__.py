"""Selections: axes, regions, and the plan of a selection."""
