"""A document of few kinds of block, as Markdown and as one HTML page that needs nothing else."""

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A title, of the document (1) or of a part of it."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[str, ...]
    is_numbered: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head; the first column names them."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Items | Table


def to_markdown(blocks: Sequence[Block]) -> str:
    """Return the document as Markdown; texts are plain, whatever they hold.

    >>> to_markdown([Heading(1, "v8"), Table(("a", "b"), (("1|2", "x"),))])
    '# v8\\n\\n| a | b |\\n| --- | --- |\\n| 1\\\\|2 | x |\\n'
    """
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def to_html(blocks: Sequence[Block], *, title: str) -> str:
    """Return the document as a page of its own; texts are escaped.

    >>> "<h1>a &lt; b</h1>" in to_html([Heading(1, "a < b")], title="t")
    True
    """
    body = "\n".join(_html(block) for block in blocks)
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    )
    head = f"<head>{head}<style>{_STYLE}</style></head>"
    return f'<!doctype html>\n<html lang="en">{head}\n<body><main>\n{body}\n</main></body></html>\n'


_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0}"
    "main{max-width:50rem;margin:auto;padding:1rem}table{border-collapse:collapse;width:100%;margin:1rem 0}"
    "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8886;overflow-wrap:anywhere}"
)
#: what Markdown would make something of
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")


def _plain(text: str) -> str:
    """Return a text of one line that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _markdown(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {_plain(text)}"
        case Paragraph(text):
            return _plain(text)
        case Items(items, is_numbered):
            return "\n".join(f"{f'{at}.' if is_numbered else '-'} {_plain(item)}" for at, item in enumerate(items, 1))
        case Table(head, rows):
            return "\n".join(
                [_line(head, _plain), _line(("---",) * len(head), str), *(_line(row, _plain) for row in rows)]
            )


def _line(cells: Sequence[str], show: Callable[[str], str]) -> str:
    return f"| {' | '.join(map(show, cells))} |"


def _html(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Paragraph(text):
            return f"<p>{html.escape(text)}</p>"
        case Items(items, is_numbered):
            name = "ol" if is_numbered else "ul"
            return f"<{name}>{''.join(f'<li>{html.escape(item)}</li>' for item in items)}</{name}>"
        case Table(head, rows):
            columns = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in head)
            return f"<table><thead><tr>{columns}</tr></thead><tbody>{''.join(map(_row, rows))}</tbody></table>"


def _row(cells: Sequence[str]) -> str:
    first, *rest = cells
    others = "".join(f"<td>{html.escape(cell)}</td>" for cell in rest)
    return f'<tr><th scope="row">{html.escape(first)}</th>{others}</tr>'
