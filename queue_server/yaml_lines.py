"""YAML as a person wrote it: the document, and the line on which each of its values stands."""

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from queue_server.errors import FieldError, PolicyError

#: a project's file takes a few kilobytes
_MOST_BYTES = 1_000_000
#: with its aliases written out: a few lines of them can stand for more values than memory holds
_MOST_VALUES = 100_000
#: digits of a number; Python itself balks at 4300
_LONGEST_NUMBER = 100
_TEXT_TAG = "tag:yaml.org,2002:str"
_MERGE_TAG = "tag:yaml.org,2002:merge"


@dataclass(frozen=True, kw_only=True, slots=True)
class YamlText:
    """What a text holds, with its nodes: they know their lines."""

    document: object
    root: yaml.Node | None

    def line(self, path: str) -> int | None:
        """Return the line of a path such as `rules.1.threshold`, or of the longest part of it that is there."""
        if self.root is None:
            return None
        node, line = self.root, 1
        for part in path.split(".") if path else ():
            found = _child(node, part)
            if found is None:
                break
            node, line = found
        return line


def read_yaml(text: str) -> YamlText:
    """Read a text, or raise PolicyError with the lines of what YAML itself would silently make something of.

    A key that stands twice (the last would win), a key that is no text, and aliases without end are refused.
    """
    if len(text.encode("utf-8", "surrogatepass")) > _MOST_BYTES:
        raise PolicyError("", f"the file must have at most {_MOST_BYTES} bytes, got {len(text)} characters")
    loader: yaml.SafeLoader | None = None
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            return YamlText(document=None, root=None)
        _check(root)
        return YamlText(document=loader.construct_document(root), root=root)
    except yaml.MarkedYAMLError as error:
        raise PolicyError.of([_syntax_fault(error)]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A date such as 2026-13-45, a number of 5000 digits, brackets 1000 deep.
        raise PolicyError("", f"the file must be YAML: {str(error)[:200]}") from error
    finally:
        if loader is not None:
            loader.dispose()


def _syntax_fault(error: yaml.MarkedYAMLError) -> FieldError:
    mark = error.problem_mark or error.context_mark
    said = " ".join(part for part in (error.context, error.problem) if part)
    return FieldError(field="", message=f"the file must be YAML: {said}", line=mark.line + 1 if mark else None)


def _child(node: yaml.Node, part: str) -> tuple[yaml.Node, int] | None:
    """Return what a key or an index leads to, with the line on which it begins."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and part.isdecimal() and int(part) < len(node.value):
        item = node.value[int(part)]
        return item, item.start_mark.line + 1
    return None


def _check(root: yaml.Node) -> None:
    _count(root, {}, set())
    faults = list(_key_faults(root, "", set()))
    if faults:
        raise PolicyError.of(faults)


def _count(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """Return how many values a node holds with its aliases written out, or raise PolicyError."""
    if id(node) in known:
        return known[id(node)]
    if id(node) in above:
        raise PolicyError.of([_alias_fault(node, "must not hold itself")])
    above.add(id(node))
    total = 1 + sum(_count(child, known, above) for child in _children(node))
    above.discard(id(node))
    if total > _MOST_VALUES:
        raise PolicyError.of([_alias_fault(node, f"must hold at most {_MOST_VALUES} values with its aliases")])
    known[id(node)] = total
    return total


def _alias_fault(node: yaml.Node, message: str) -> FieldError:
    return FieldError(field="", message=message, line=node.start_mark.line + 1)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _key_faults(node: yaml.Node, path: str, seen: set[int]) -> Iterator[FieldError]:
    """Find keys that stand twice or are no text, and numbers without end; what aliases share is looked at once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode) and node.tag != _TEXT_TAG and len(node.value) > _LONGEST_NUMBER:
        message = f"must have at most {_LONGEST_NUMBER} characters or be in quotes"
        yield FieldError(field=path, message=message, line=node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _key_faults(item, f"{path}.{index}" if path else str(index), seen)
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            yield from _faults_of_key(key, path, lines)
            yield from _key_faults(value, f"{path}.{key.value}" if path else str(key.value), seen)


def _faults_of_key(key: yaml.Node, path: str, lines: dict[str, int]) -> Iterator[FieldError]:
    if key.tag == _MERGE_TAG:
        return
    line = key.start_mark.line + 1
    if key.tag != _TEXT_TAG:
        said = key.value if isinstance(key, yaml.ScalarNode) else "a list or a mapping"
        yield FieldError(field=path, message=f"must have texts as keys, got {said}: put it into quotes", line=line)
        return
    name = f"{path}.{key.value}" if path else key.value
    if key.value in lines:
        yield FieldError(field=name, message=f"must be given once, it stands on line {lines[key.value]} too", line=line)
    lines[key.value] = line
