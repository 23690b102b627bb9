"""Agreement beyond chance, held against published examples."""

import pytest

from queue_server.core.reliability import cohens_kappa, krippendorff_alpha, reliability

#: three coders and 15 units of Krippendorff's example; "*": not coded
CODERS = ("*****34121133*3", "1*213343*******", "**21344*21133*4")


def units() -> list[list[str]]:
    return [[code for code in column if code != "*"] for column in zip(*CODERS, strict=True)]


def test_alpha_is_the_published_one() -> None:
    assert krippendorff_alpha(units()) == pytest.approx(0.691, abs=5e-4)


def test_kappa_is_the_published_one() -> None:
    # Fleiss 1981, table 13.1
    table = {("a", "a"): 75, ("a", "b"): 1, ("a", "c"): 4, ("b", "a"): 5, ("b", "b"): 4, ("b", "c"): 1, ("c", "c"): 10}
    assert cohens_kappa([pair for pair, count in table.items() for _ in range(count)]) == pytest.approx(0.676, abs=5e-4)


@pytest.mark.parametrize("said", [[], [["a"]], [["a", "a"], ["a", "a"]]])
def test_agreement_beyond_chance_needs_two_who_say_different_things(said: list[list[str]]) -> None:
    found = reliability(said)
    assert (found.alpha, found.kappa) == (None, None)


def test_kappa_is_of_two_and_alpha_of_any_number() -> None:
    found = reliability([["a", "a", "a"], ["b", "b"], ["a", "b"]])
    assert (found.units, found.agreement, found.kappa) == (3, 4 / 5, None)
    assert found.alpha is not None
