import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pytest
from lxml import etree

from mangapaint.demo import draw_chapter, draw_pages
from mangapaint.demo.canvas import Canvas, Pen
from mangapaint.demo.cast import AMAZED, BOY, CALM, GIRL, HAPPY, Pose
from mangapaint.demo.curves import box, ellipse, spline
from mangapaint.demo.effects import panel
from mangapaint.demo.figures import draw_figure
from mangapaint.demo.lettering import bubble
from mangapaint.demo.tones import INK, dots, gradient
from mangapaint.errors import OutputError


@pytest.fixture(scope="module")
def chapter(tmp_path_factory):
    return draw_chapter(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def pages(chapter):
    with zipfile.ZipFile(chapter) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        return [cv2.imdecode(np.frombuffer(archive.read(name), np.uint8), cv2.IMREAD_UNCHANGED) for name in names]


def test_the_chapter_is_a_sound_stored_zip_of_four_pages(chapter):
    with zipfile.ZipFile(chapter) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["001.png", "002.png", "003.png", "004.png", "ComicInfo.xml"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_comic_info_says_right_to_left_and_black_and_white(chapter):
    with zipfile.ZipFile(chapter) as archive:
        root = etree.fromstring(archive.read("ComicInfo.xml"))
    assert root.tag == "ComicInfo"
    assert root.findtext("Manga") == "YesAndRightToLeft"
    assert root.findtext("BlackAndWhite") == "Yes"
    assert root.findtext("PageCount") == "4"
    assert root.findtext("Title") == "The Paint Box"


def test_another_process_draws_the_same_bytes(chapter, tmp_path):
    code = "import sys, pathlib, mangapaint.demo as d; d.draw_chapter(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert (tmp_path / chapter.name).read_bytes() == chapter.read_bytes()


def test_drawing_needs_no_torch():
    code = "import sys, mangapaint.demo; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_pages_are_gray_and_hold_ink_paper_and_tone(pages):
    for page in pages:
        assert page.shape == (1420, 1000)
        assert page.dtype == np.uint8
        assert 0.08 < (page < 64).mean() < 0.45
        assert 0.35 < (page > 224).mean() < 0.85
    assert len({page.tobytes() for page in pages}) == 4


@pytest.mark.parametrize(("page", "row"), [(0, 998), (1, 488), (1, 932), (2, 1092), (3, 913)])
def test_gutters_between_the_rows_of_panels_are_blank(pages, page, row):
    assert (pages[page][row - 6 : row + 7, 44:700] > 250).all()
    assert (pages[page][row - 18 : row + 19, 300:700] < 64).any(axis=1).sum() >= 4  # the frames on both sides


def test_bubbles_are_blank_with_dark_letters():
    canvas = Canvas(300, 200)
    pen = Pen(canvas)
    pen.fill(box(0, 0, 300, 200), 128)
    bubble(pen, "Hello\nthere", 150, 100, (40, 180))
    page = canvas.finished()
    inside = page[70:130, 100:200]
    assert (inside > 240).mean() > 0.5
    assert (inside < 40).mean() > 0.05
    assert not (inside == 128).any()
    assert page[3, 3] == 128


def test_a_panel_cuts_what_is_drawn_inside_it():
    canvas = Canvas(120, 120)
    pen = Pen(canvas)
    with panel(pen, [(20, 20), (100, 20), (100, 100), (20, 100)]):
        pen.fill(box(0, 50, 120, 70), INK)
    page = canvas.finished()
    assert (page[:, :17] == 255).all()
    assert (page[:, 104:] == 255).all()
    assert (page[55:65, 30:90] == 0).all()
    assert (page[35, 18:23] < 128).any()


def test_clipping_nests_and_survives_shapes_off_the_page():
    canvas = Canvas(60, 60)
    pen = Pen(canvas)
    with pen.clipped(box(10, 10, 50, 50)), pen.clipped(box(30, 0, 90, 60)):
        pen.fill(box(-20, -20, 80, 80), INK)
    with pen.clipped(box(100, 100, 140, 140)):
        pen.fill(box(-20, -20, 200, 200), INK)
    page = canvas.finished()
    rows, columns = np.nonzero(page < 128)
    assert (rows.min(), columns.min()) == (10, 30)
    assert max(rows.max(), columns.max()) <= 50


@pytest.mark.parametrize("density", [0.0, 0.1, 0.3, 0.5, 0.8])
def test_a_screen_has_the_density_asked_for(density):
    x, y = np.arange(0, 200, 1 / 3)[None, :], np.arange(0, 200, 1 / 3)[:, None]
    assert (dots(density)(x, y) == INK).mean() == pytest.approx(density, abs=0.025)


def test_a_gradient_thins_out():
    x, y = np.arange(0, 100, 1 / 3)[None, :], np.arange(0, 300, 1 / 3)[:, None]
    ink = gradient((0, 0), (0, 300), 0.5, 0.0)(x, y) == INK
    thirds = [ink[i : i + 300].mean() for i in (0, 300, 600)]
    assert thirds[0] > thirds[1] > thirds[2]


def test_a_spline_passes_through_its_points():
    knots = np.array([(0, 0), (10, 4), (11, 30), (50, 28)])
    curve = spline(knots)
    assert all(np.hypot(*(curve - knot).T).min() < 1e-9 for knot in knots)


def test_a_mirrored_pen_draws_the_mirror_image():
    def drawn(flip):
        canvas = Canvas(101, 101)
        Pen(canvas).at(50.5, 50.5, 10, flip=flip).fill(ellipse(2, 1, 1.5, 0.5, 0.4))
        return canvas.finished().astype(int)

    assert np.abs(drawn(True)[:, ::-1] - drawn(False)).mean() < 1.0


@pytest.mark.parametrize("look", [GIRL, BOY], ids=["girl", "boy"])
def test_moods_and_views_are_told_apart(look):
    def drawn(mood, pose):
        canvas = Canvas(260, 320)
        draw_figure(Pen(canvas).at(130, 130, 60), look, mood, pose)
        return canvas.finished().astype(int)

    views = [
        drawn(CALM, Pose()),
        drawn(HAPPY, Pose()),
        drawn(AMAZED, Pose()),
        drawn(CALM, Pose(turn=0.35)),
        drawn(CALM, Pose(back=True)),
    ]
    for i, one in enumerate(views):
        for other in views[:i]:
            assert (np.abs(one - other) > 100).mean() > 0.004


def test_the_two_differ_in_the_share_of_black_hair():
    def ink(look):
        canvas = Canvas(200, 130)
        draw_figure(Pen(canvas).at(100, 110, 50), look)
        return (canvas.finished() < 64).mean()

    assert ink(BOY) > 2 * ink(GIRL)


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        draw_chapter(tmp_path / "file")


def test_pages_come_back_as_they_are_stored(pages):
    fresh = draw_pages()
    assert all(np.array_equal(a, b) for a, b in zip(fresh, pages, strict=True))
