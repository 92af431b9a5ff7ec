from __future__ import annotations

from pathlib import Path

from components.config.reference import render

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_settings_reference_is_what_the_models_say():
    assert PAGE.read_text() == render(), "run: .venv/bin/python -m components.config.reference > docs/settings.md"


def test_every_setting_says_what_is_allowed():
    for line in render().splitlines():
        assert "| None." not in line, line
