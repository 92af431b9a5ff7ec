"""What the pages say about speed is what the committed report of `make bench` says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.emulator import ROOT

REPORT = ROOT / "bench" / "report.md"
ROWS: list[dict[str, Any]] = json.loads((ROOT / "bench" / "report.json").read_text())
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# A ratio in a page is a link to its section: [1.24 ×](bench/report.md#worker-throughput-per-core)
FIGURE = re.compile(r"\[(?P<ratio>[\d.]+) ×\]\((?P<path>[\w./]*bench/report\.md)#(?P<section>[a-z0-9-]+)\)")


def section(work: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^a-z0-9 -]", "", work.lower()).replace(" ", "-")


def figures() -> list[tuple[Path, re.Match[str]]]:
    return [(page, found) for page in PAGES for found in FIGURE.finditer(page.read_text())]


def test_the_report_is_a_whole_one_and_says_where_and_when():
    text = REPORT.read_text()
    assert "quick run" not in text
    assert re.search(r"on 20\d\d-\d\d-\d\dT\S+, in \d+ minutes, on \d+ logical processors", text)
    assert {row["work"].split()[0].strip(",") for row in ROWS} == {"replay", "worker", "program", "stream", "kafka"}
    assert min(row["runs"] for row in ROWS) >= 5
    for row in ROWS:
        assert f"**{row['ratio']:.2f}**" in text
    for picture in re.findall(r"!\[.*?\]\((.+?)\)", text):
        assert (REPORT.parent / picture).is_file()


def test_figures_of_every_kind_are_told():
    assert {found["section"].split("-")[0] for _, found in figures()} == {
        "replay",
        "worker",
        "program",
        "stream",
        "kafka",
    }


@pytest.mark.parametrize(("page", "found"), [pytest.param(*one, id=f"{one[0].name}-{one[1][0]}") for one in figures()])
def test_a_figure_is_the_reports(page: Path, found: re.Match[str]):
    assert (page.parent / found["path"]).resolve() == REPORT
    ratios = [f"{row['ratio']:.2f}" for row in ROWS if section(row["work"]) == found["section"]]
    assert found["ratio"] in ratios, f"{page.name}: {found['section']} has {ratios}"
