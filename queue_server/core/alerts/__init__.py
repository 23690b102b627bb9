"""Alerts: rules on figures, told once when one leaves its limits and once when it is back.

`reading` and `channels` read the project's file, `figures` names what can be watched, `looks` widens intervals for
figures that are looked at again and again, `standing` is the way of an alert, `wording` what is said.
"""

from queue_server.core.alerts.channels import Channel, ChannelKind, channel_document, is_variable, parse_channels
from queue_server.core.alerts.figures import FIGURES, FigureKind, FigureNow, Source, Unit, kind_of
from queue_server.core.alerts.looks import for_many_looks
from queue_server.core.alerts.reading import alert_document, parse_alerts
from queue_server.core.alerts.rules import AlertRule, Limits
from queue_server.core.alerts.standing import Action, Event, Standing, Status, Turn, act, afresh, look, why_not
from queue_server.core.alerts.wording import Message, Occasion, message, say, say_limits

__all__ = [
    "FIGURES",
    "Action",
    "AlertRule",
    "Channel",
    "ChannelKind",
    "Event",
    "FigureKind",
    "FigureNow",
    "Limits",
    "Message",
    "Occasion",
    "Source",
    "Standing",
    "Status",
    "Turn",
    "Unit",
    "act",
    "afresh",
    "alert_document",
    "channel_document",
    "for_many_looks",
    "is_variable",
    "kind_of",
    "look",
    "message",
    "parse_alerts",
    "parse_channels",
    "say",
    "say_limits",
    "why_not",
]
