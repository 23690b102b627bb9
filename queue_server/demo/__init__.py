"""The loop to look at: a real Label Studio, this server and the pill counter of `examples/`, started together.

`stage` starts the parts and knows where they live, `once` plays a whole turn without a person, `tally` counts what
came of it and holds the figures against each other.
"""
