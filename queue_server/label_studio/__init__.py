"""The only package that speaks to Label Studio; its SDK stays behind our own values and errors.

Importing it is cheap: the SDK (a second, 100 MB) is loaded at the first call.
"""

from queue_server.label_studio.client import LabelStudio
from queue_server.label_studio.values import ChangedTask, Look, RawAnnotation, ServerStatus, TaskStatus

__all__ = ["ChangedTask", "LabelStudio", "Look", "RawAnnotation", "ServerStatus", "TaskStatus"]
