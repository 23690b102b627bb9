"""What each sampling strategy looks at.

A strategy is a function of (rule, candidate, now) that returns a Match, or a score that is held against the rule's
threshold. It stands, with its parameters, in the dict at the end of the file of its family, and nowhere else. Those
that need no feedback decide at arrival, so that the audit never depends on what users say.
"""

from queue_server.core.policy.rules import Strategy
from queue_server.core.policy.strategies import classes, confidence, feedback, objects, pictures, sampling

STRATEGIES: dict[str, Strategy] = (
    feedback.STRATEGIES
    | confidence.STRATEGIES
    | classes.STRATEGIES
    | objects.STRATEGIES
    | pictures.STRATEGIES
    | sampling.STRATEGIES
)
