"""The recipes of the button's page, as readers copy them."""

import re

from tests.frameworks.stand_in import ROOT

_PAGE = ROOT / "widgets" / "README.md"


def blocks(section: str, language: str) -> list[str]:
    """Return the code of a section in one language."""
    _, _, rest = _PAGE.read_text().partition(f"\n## {section}\n")
    text, _, _ = rest.partition("\n## ")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
