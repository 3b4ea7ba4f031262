"""Ordinary Python programs, blocking and async, unmodified, in virtual time on the hosts of a world."""
