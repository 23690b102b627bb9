"""A model card in words and tables, as Markdown and HTML; also where little is known yet."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from queue_server.core.model_card import (
    Block,
    DataDifference,
    Heading,
    Items,
    Kind,
    Paragraph,
    Registered,
    Table,
    to_html,
    to_markdown,
)
from queue_server.core.model_quality import Figure, VersionQuality
from queue_server.reports.cards import ExportData, ModelCard, ReferenceData
from queue_server.reports.slices import SliceQuality, Worst

_UNKNOWN = "not known yet"
#: figures that are shares, shown in percent
_SHARES = frozenset(
    {"exact_count", "count_within_one", "precision", "recall", "f1", "ap50", "ap", "mask_iou", "accuracy"}
)


def render_markdown(card: ModelCard) -> str:
    """Return a card as Markdown."""
    return to_markdown(list(_blocks(card)))


def render_html(card: ModelCard) -> str:
    """Return a card as one HTML page that needs nothing else."""
    return to_html(list(_blocks(card)), title=f"{card.project} {card.model_version}")


def _blocks(card: ModelCard) -> Iterator[Block]:
    yield Heading(1, f"{card.project}: {card.model_version}")
    yield Paragraph(
        f"A model for {card.task} of {', '.join(card.labels)}. Made {_time(card.made_at)}; figures of production are of"
        f" samples captured since {_time(card.since)}, with intervals of 95%."
    )
    yield from _model(card)
    yield from _data(card.export, card.reference)
    yield from _quality(card)
    yield from _slices(card.slices, card.worst)
    yield from _history(card)
    if card.registered is not None:
        yield from _notes(card.registered)


def _model(card: ModelCard) -> Iterator[Block]:
    yield Heading(2, "Model")
    said = card.registered
    if said is None or card.registered_at is None:
        yield Paragraph("Nobody has registered this version (lookswrong model add FILE).")
        return
    yield Paragraph(f"Registered {_day(card.registered_at)}. Architecture: {said.architecture or 'not said'}.")
    if said.hyperparameters:
        yield Table(("hyperparameter", "value"), tuple(_leaves(said.hyperparameters)))
    if said.metrics:
        yield Heading(3, "Before it was deployed")
        yield Table(("metric", "value"), tuple((name, f"{value:.6g}") for name, value in said.metrics.items()))


def _leaves(tree: Mapping[str, object], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _data(export: ExportData | None, reference: ReferenceData | None) -> Iterator[Block]:
    yield Heading(2, "Training data")
    if export is None and reference is None:
        yield Paragraph("Neither an export nor a reference is known.")
    if export is not None:
        splits = ", ".join(f"{name} {count}" for name, count in export.by_split.items())
        yield Paragraph(
            f"Export {export.export_id} ({export.format}, {_day(export.created_at)}): {export.items} items ({splits}),"
            f" of which {export.negatives} hold nothing."
        )
    if reference is not None:
        yield Paragraph(
            f"Reference {reference.source}: {reference.images} images with {reference.objects} objects, pinned"
            f" {_day(reference.pinned_at)}, against {reference.samples} samples of production."
        )
        if reference.differences:
            yield Table(("", "training", "production", "effect"), tuple(map(_difference_row, reference.differences)))
            yield Paragraph("Effect: Cohen's h of shares of images, d of means; 0.2 is small, 0.8 large.")


def _difference_row(found: DataDifference) -> tuple[str, str, str, str]:
    if found.kind is Kind.LABEL:
        name, values = f"images with {found.name}", (f"{found.reference:.1%}", f"{found.production:.1%}")
    else:
        name, values = f"mean {_words(found.name)}", (f"{found.reference:.4g}", f"{found.production:.4g}")
    return name, *values, f"{found.effect:+.2f}"


def _quality(card: ModelCard) -> Iterator[Block]:
    yield Heading(2, "In production")
    found = card.quality
    if found is None:
        yield Paragraph("No sample of this version has matured in that time: how good it is, is not known yet.")
        return
    yield Paragraph(f"{found.samples} samples, {found.annotated} annotated, {found.unfinished} unfinished tasks.")
    figures = [found.accuracy, *found.figures]
    yield Table(("figure", "value", "interval", "annotations"), tuple(map(_figure_row, figures)))
    if card.comparison is not None:
        yield Paragraph(card.comparison.sentence + ".")
    yield from _calibration(found)


def _figure_row(figure: Figure) -> tuple[str, str, str, str]:
    is_share = figure.name in _SHARES
    is_known = figure.low is not None and figure.high is not None
    interval = f"{_number(figure.low, is_share)} to {_number(figure.high, is_share)}" if is_known else ""
    return _words(figure.name), _number(figure.value, is_share), interval, str(figure.n)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(value: float | None, is_share: bool) -> str:  # noqa: FBT001  # how it is written, not what is done
    if value is None:
        return _UNKNOWN
    return f"{value:.1%}" if is_share else f"{value:.3g}"


def _calibration(found: VersionQuality) -> Iterator[Block]:
    if not found.calibration:
        return
    yield Heading(3, "Calibration")
    rows = tuple(
        (
            f"{one.confidence_from:.2f} to {one.confidence_to:.2f}",
            f"{one.confidence:.1%}",
            f"{one.accuracy:.1%} ({one.low:.1%} to {one.high:.1%})",
            str(one.n),
        )
        for one in found.calibration
    )
    yield Table(("confidence", "it says", "it is right", "annotations"), rows)


def _slices(known: Sequence[SliceQuality], found: Worst | None) -> Iterator[Block]:
    yield Heading(2, "Known failures")
    if found is not None and found.slices:
        yield Paragraph(
            f"Of {found.tested} parts of the stream that were tested, the model errs more than elsewhere in these. One"
            f" search in {1 / found.familywise_error_rate:.0f} shows one that is chance; figures lean to the bad side."
        )
        yield Table(_SLICE_HEAD, tuple(map(_slice_row, found.slices)))
    elif found is not None and found.tested:
        yield Paragraph(
            f"{found.tested} parts of the stream were tested: in none does the model surely err more than elsewhere."
        )
    else:
        yield Paragraph("Too few samples are annotated to search for them.")
    if known:
        yield Heading(3, "Slices of the project")
        yield Table(_SLICE_HEAD, tuple(map(_slice_row, known)))


_SLICE_HEAD = ("slice", "samples", "accuracy", "interval", "against the rest, points")


def _slice_row(found: SliceQuality) -> tuple[str, str, str, str, str]:
    _, value, interval, _ = _figure_row(found.accuracy)
    step = found.difference
    apart = _UNKNOWN
    if step.value is not None and step.low is not None and step.high is not None:
        apart = f"{100 * step.value:+.1f} ({100 * step.low:+.1f} to {100 * step.high:+.1f})"
    return found.name, f"{found.samples} ({found.share:.1%})", value, interval, apart


def _history(card: ModelCard) -> Iterator[Block]:
    yield Heading(2, "History")
    if not card.history:
        yield Paragraph("No sample has come yet.")
        return
    rows = []
    for one in card.history:
        _, value, interval, _ = _figure_row(one.accuracy) if one.accuracy is not None else ("", _UNKNOWN, "", "")
        span = f"{_day(one.first_captured_at)} to {_day(one.last_captured_at)}"
        rows.append((one.model_version, span, str(one.samples), f"{value} ({interval})" if interval else value))
    yield Table(("version", "captured", "samples", "accuracy"), tuple(rows))


def _notes(said: Registered) -> Iterator[Block]:
    if said.deployment:
        yield Heading(2, "Deployment")
        yield Items(said.deployment, is_numbered=True)
    if said.maintenance:
        yield Heading(2, "Maintenance")
        yield Items(said.maintenance)


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
