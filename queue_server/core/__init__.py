"""Decisions without side effects: values plus `now` and a seed in, a frozen result out.

No I/O, no clock, no unseeded randomness, no framework. Random sampling is a hash of (sample id, salt), so a retry
gets the answer of the first try. What is decided here, the shell around it obeys in a few lines.
"""
