"""Experiments: which arm answers a request, what it cost in losses, and what follows from that. Pure; no input or output."""
