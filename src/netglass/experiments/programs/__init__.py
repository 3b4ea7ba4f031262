"""Ordinary programs that experiments run on the hosts of a lab. They know nothing of netglass: any others would do.

Modules of libraries that may be missing are imported at the top; an experiment imports its programs when it runs.
"""
