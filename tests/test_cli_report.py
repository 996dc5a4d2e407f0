"""The HTML report: everything escaped, nothing fetched, before and after of some pages."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from factories import cbz, chapter, page
from standin import Loader, Notes

from mangapaint import pixels
from mangapaint.paint.consistency import Consistency
from mangapaint.pipeline.contracts import ChapterResult, ChapterState
from mangapaint.pipeline.run import run
from mangapaint.report import html
from mangapaint.report.jsonl import chapter_line
from mangapaint.settings import InputSettings, Limits, RunSettings, Settings
from mangapaint.signals import Stop


class Parts(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def report(root: Path, *sources: Path) -> str:
    notes = Notes()
    settings = Settings(run=RunSettings(output=root / "out"))
    results = run(sources, settings, Loader(), notes, Stop())
    html.write(root / "report.html", results, notes.pages, InputSettings())
    return (root / "report.html").read_text(encoding="utf-8")


def test_names_are_escaped_and_failures_are_shown(tmp_path: Path) -> None:
    files = {"1.png": page(), "<script>alert(1)</script>.png": b"no picture"}
    text = report(tmp_path, cbz(tmp_path / "a & <b>.cbz", files), tmp_path / "absent.cbz")
    assert "<script" not in text
    assert "a &amp; &lt;b&gt;.cbz" in text
    assert "does not exist" in text
    assert text.count('class="failed"') == 2


def test_nothing_is_fetched_and_pictures_show_before_and_after(tmp_path: Path) -> None:
    text = report(tmp_path, chapter(tmp_path / "a.cbz", 3))
    pictures = [attributes["src"] or "" for tag, attributes in Parts(text).tags if tag == "img"]
    assert len(pictures) == 6
    assert not re.search(r"https?://", text)
    decoded = [
        pixels.decode(base64.b64decode(source.removeprefix("data:image/jpeg;base64,")), Limits()).pixels
        for source in pictures
    ]
    assert decoded[0].shape == decoded[1].shape == (340, 240, 3)
    assert decoded[0][2, 2].min() > 240, "white paper before"
    assert decoded[1][2, 2, 2] < 200, "tinted after"


def test_the_consistency_of_a_chapter_is_said_in_the_report_and_in_its_line(tmp_path: Path) -> None:
    source = chapter(tmp_path / "a.cbz", 1)
    done = ChapterResult(source, None, ChapterState.DONE, consistency=Consistency(4.25, 7, 30, 9))
    html.write(tmp_path / "report.html", [done], [], InputSettings())
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "7 things were recognised on several of 9 pages" in text
    assert "differ by 4.2 in ab" in text
    assert json.loads(chapter_line(done))["consistency"] == {"spread": 4.25, "groups": 7, "regions": 30, "pages": 9}


def test_a_long_report_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html, "PAIRS", 4)
    text = report(tmp_path, chapter(tmp_path / "a.cbz", 5), chapter(tmp_path / "b.cbz", 1))
    assert text.count("<figure>") == 3
