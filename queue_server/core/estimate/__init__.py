"""Estimates from unequally likely samples, with intervals: pure statistics, which know nothing of models or users.

`proportion` is the headline: a share of all that came, from the few that were looked at. `hajek` stands beside it,
`jackknife` is for figures that are no share of right and wrong, `difference` and `planning` are for decisions.
"""

from queue_server.core.estimate.difference import Pairs, difference, paired_difference
from queue_server.core.estimate.hajek import hajek
from queue_server.core.estimate.intervals import Interval, t_of, wilson, z_of
from queue_server.core.estimate.jackknife import jackknife
from queue_server.core.estimate.lure import lure_weights
from queue_server.core.estimate.planning import more_for, more_to_settle
from queue_server.core.estimate.proportion import Cell, Share, collapse, post_stratified
from queue_server.core.estimate.stratified import Mean, MeanStratum, stratified_mean

__all__ = [
    "Cell",
    "Interval",
    "Mean",
    "MeanStratum",
    "Pairs",
    "Share",
    "collapse",
    "difference",
    "hajek",
    "jackknife",
    "lure_weights",
    "more_for",
    "more_to_settle",
    "paired_difference",
    "post_stratified",
    "stratified_mean",
    "t_of",
    "wilson",
    "z_of",
]
