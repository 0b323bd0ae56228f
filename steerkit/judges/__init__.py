"""Judges: the protocol, and the local one. Level 6; a judge never sees the database."""

from steerkit.judges.protocol import Judge

__all__ = ["Judge"]
