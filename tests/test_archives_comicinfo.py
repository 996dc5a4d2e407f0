import pytest
from factories import COMICINFO
from lxml import etree

from mangapaint.archives import comicinfo
from mangapaint.archives.comicinfo import PageFacts

PAGES = [PageFacts(480, 680, 1234), PageFacts(None, None, 99)]
NOTE = "Coloured by mangapaint."


def amended(data, **options):
    return comicinfo.amend(data, PAGES, **({"painted": True, "note": NOTE} | options))


def test_amended_in_the_order_of_the_schema():
    root = etree.fromstring(amended(COMICINFO))
    tags = [element.tag for element in root if isinstance(element.tag, str)]
    assert tags == ["Title", "Series", "Notes", "PageCount", "LanguageISO", "BlackAndWhite", "Manga", "Shelf", "Pages"]
    assert root.findtext("BlackAndWhite") == "No" and root.findtext("PageCount") == "2"
    assert root.findtext("Notes") == f"Scanned at home. {NOTE}"


def test_unknown_elements_comments_and_other_attributes_stay():
    text = amended(COMICINFO).decode()
    assert '<Shelf room="2">own element</Shelf>' in text and "<!-- kept -->" in text
    assert 'Type="FrontCover"' in text and 'Bookmark="start"' in text


def test_page_sizes_are_brought_up_to_date():
    first, second = etree.fromstring(amended(COMICINFO)).iterfind("Pages/Page")
    assert (first.get("ImageWidth"), first.get("ImageHeight"), first.get("ImageSize")) == ("480", "680", "1234")
    assert (second.get("ImageWidth"), second.get("ImageSize")) == (None, "99")


def test_amending_twice_is_amending_once():
    once = amended(COMICINFO)
    assert amended(once) == once


def test_indentation_is_kept():
    lines = amended(COMICINFO).decode().splitlines()
    assert "  <PageCount>2</PageCount>" in lines and "  <BlackAndWhite>No</BlackAndWhite>" in lines


def test_upscaled_chapter_stays_black_and_white():
    assert b"BlackAndWhite" not in amended(COMICINFO, painted=False)


@pytest.mark.parametrize(
    "data", [b"<ComicInfo/>", b"<ComicInfo></ComicInfo>", b"<ComicInfo><Title>x</Title></ComicInfo>"]
)
def test_minimal_files_are_amended_without_inventing_pages(data):
    root = etree.fromstring(amended(data))
    assert root.findtext("Notes") == NOTE and root.find("Pages") is None


@pytest.mark.parametrize("data", [b"", b"no xml", b"<ComicInfo><Title></ComicInfo>", b"<Other/>", b"\xff\xfe\0"])
def test_what_is_no_comicinfo_stays_as_it_is(data):
    assert amended(data) == data and comicinfo.direction(data) is None


@pytest.mark.parametrize("number", ["-1", "2", "x", "", "9" * 5000, "٣"])
def test_page_numbers_that_make_no_sense_are_passed_over(number):
    data = f'<ComicInfo><Pages><Page Image="{number}"/></Pages></ComicInfo>'.encode()
    assert b"ImageSize" not in amended(data)


@pytest.mark.parametrize(
    ("manga", "wanted"), [("YesAndRightToLeft", "rtl"), ("No", "ltr"), ("Yes", None), ("Unknown", None), ("", None)]
)
def test_direction(manga, wanted):
    assert comicinfo.direction(f"<ComicInfo><Manga> {manga} </Manga></ComicInfo>".encode()) == wanted


def test_entities_are_neither_expanded_nor_fetched(tmp_path):
    (tmp_path / "secret").write_text("secret")
    outside = (
        f'<!DOCTYPE c [<!ENTITY e SYSTEM "{(tmp_path / "secret").as_uri()}">]><ComicInfo><Title>&e;</Title></ComicInfo>'
    )
    assert b"secret</" not in amended(outside.encode())
    bomb = "<!DOCTYPE c [<!ENTITY a 'xxxxxxxxxx'>" + "".join(
        f"<!ENTITY {b} '{f'&{a};' * 20}'>" for a, b in zip("abcdefg", "bcdefgh", strict=True)
    )
    assert len(amended(f"{bomb}]><ComicInfo><Title>&h;</Title></ComicInfo>".encode())) < 10_000


def test_root_entry_is_preferred():
    assert comicinfo.pick(["a/ComicInfo.xml", "comicinfo.XML", "x.txt"]) == "comicinfo.XML"
    assert comicinfo.pick(["a/ComicInfo.xml"]) == "a/ComicInfo.xml"
    assert comicinfo.pick(["x.txt"]) is None
