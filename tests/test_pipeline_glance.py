"""Pages that are looked at before a chapter is painted are decoded and judged no more often than need be."""

from __future__ import annotations

from pathlib import Path

from factories import folder, page

from mangapaint.archives import open_reader
from mangapaint.page import PageImage, Verdict
from mangapaint.pipeline.feed import Budget, Decoded, Feed, Glance, Source
from mangapaint.settings import InputSettings


class Counting(Source):
    decodings = 0

    def decode(self, data: bytes) -> PageImage:
        self.decodings += 1
        return super().decode(data)


def test_a_gray_page_is_decoded_once_to_be_judged_and_seen_and_a_coloured_one_is_let_go(tmp_path: Path) -> None:
    files = {"0.png": page(seed=0), "1.png": page(seed=1, colour=True)}
    with open_reader(folder(tmp_path / "in", files), InputSettings()) as reader:
        source = Counting(reader, InputSettings())
        gray, colour = (Glance(source, index) for index in range(2))
        assert (gray.verdict(), colour.verdict()) == (Verdict.GRAY, Verdict.COLOUR)
        assert source.decodings == 2
        gray.image()
        assert source.decodings == 2
        colour.image()
        assert gray.image().pixels.shape == (340, 240, 3)
        assert source.decodings == 4


def test_what_a_page_was_judged_to_be_is_not_measured_again(tmp_path: Path) -> None:
    with open_reader(folder(tmp_path / "in", {"0.png": page(seed=0)}), InputSettings()) as reader:
        source = Source(reader, InputSettings())
        Glance(source, 0).verdict()
        source._judged[0] = (Verdict.BLANK, 7.0)
        feed = Feed(source, [0], Budget())
        [found] = list(feed)
        feed.close()
        assert isinstance(found, Decoded)
        assert (found.verdict, found.value) == (Verdict.BLANK, 7.0)
