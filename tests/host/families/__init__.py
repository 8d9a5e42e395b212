"""Tiny models of every family, of the host's own classes."""
