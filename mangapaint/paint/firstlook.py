"""What a net can say of pages before any is painted for good: their descriptors, first colours, likely palette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mangapaint.engine.runner import Engine, Output
from mangapaint.layout import strips
from mangapaint.models.painter_net import Seen
from mangapaint.models.painting import Guide, Kin, PaintingNet
from mangapaint.page import Face, PageImage, Region
from mangapaint.paint.desk import Desk, Found
from mangapaint.paint.drawing import STRIP_OVERLAP, Drawing, labelled, reduced
from mangapaint.paint.faces import FaceFinder
from mangapaint.paint.memory import REGIONS, ChapterMemory, places_of
from mangapaint.paint.paperfinder import PaperFinder

WINDOWS = 3
"""Windows of a scroll strip that are looked at."""
INK_SIDE = 7
"""Side of the closing by which the lines of a coloured reference are divided out, px of what the net sees."""
CHEEKS = (0.2, 0.8, 0.2, 0.9)
"""Left, right, top and bottom of the part of a face's box, shares of its sides, in which there is skin and no hair."""
SKIN_SHARE = 0.3
"""Share of that part that a region must cover to be the skin of the face; else lines cut the face to pieces."""


class RememberingNet(PaintingNet, Protocol):
    """A colouring net that can follow a memory."""

    def described(self, page: Tensor, hints: Tensor, guide: Guide) -> tuple[Tensor, Tensor]: ...

    def look(self, page: Tensor, hints: Tensor, palette: Tensor, latent: Tensor | None = None) -> Seen: ...

    def kin_among(self, seen: Seen, guide: Guide, blank: Tensor, most: int, skin: Tensor | None = None) -> Kin: ...

    def kinds_of(self, page: Tensor, hints: Tensor) -> Tensor: ...


class FirstLook:
    """Runs a remembering net over pages to learn, not to paint.

    Args:
        engine: where the net runs.
        net: on the engine's device.
        mode: as of PaintSettings.
        latent: (1, net.latent_size) noise that the pages will be painted with, or None.
        paper: as of Brush.
        finder: of faces, whose skins agree on a colour over the chapter; None where nobody looks for them.
        desk: keeps what is needed again when the pages are painted.
    """

    def __init__(
        self,
        engine: Engine,
        net: RememberingNet,
        mode: str,
        latent: Tensor | None = None,
        paper: PaperFinder | None = None,
        finder: FaceFinder | None = None,
        desk: Desk | None = None,
    ) -> None:
        self.engine = engine
        self.net = net
        self.mode = mode
        self.paper = paper
        self.finder = finder
        self.desk = Desk(0) if desk is None else desk
        self.latent = None if latent is None else latent.to(engine.device.torch_device)

    def kinds(self, page: PageImage) -> Tensor:
        """(kinds + 1,) shares: which kind of art a page is of, see PainterNet.kinds_of."""
        drawing = self.desk.drawing(page, self.mode, finder=self.paper, keep=True)
        views = [View(drawing, window, self.net) for window in windows_of(drawing)]
        found = [self.engine.run("painter", self.net.kinds_of, view.page, view.hints) for view in views]
        return torch.cat([cast(Tensor, share).float().cpu() for share in found]).mean(0)

    def with_page(self, memory: ChapterMemory, page: PageImage) -> ChapterMemory:
        """The memory with the regions of a black-and-white page, coloured by the memory's palette and places."""
        device = self.engine.device.torch_device
        places, balance = memory.memory(device), memory.balance
        drawing = self.desk.drawing(page, self.mode, finder=self.paper, keep=True)
        for window in windows_of(drawing):
            view = View(drawing, window, self.net)
            blank, skin = view.blank.to(device), self.skin(drawing, window, view).to(device)

            def call(
                page: Tensor,
                hints: Tensor,
                palette: Tensor,
                labels: Tensor,
                blank: Tensor = blank,
                skin: Tensor = skin,
            ) -> Output:
                guide = Guide(palette, labels, memory=places, latent=self.latent, balance=balance)
                seen = self.net.look(page, hints, palette, self.latent)
                return *cast(tuple[Tensor, ...], self.net.kin_among(seen, guide, blank, REGIONS, skin)), *seen

            run = self.engine.run("painter", call, view.page, view.hints, memory.palette, view.labels)
            *kin, features, descriptors = cast(tuple[Tensor, ...], run)
            memory = memory.with_regions(Kin(*kin))
            found = Found((features, descriptors), memory.palette, self.latent)
            self.desk.keep(drawing, window, view.labels[0].numpy(), found)
        return memory

    def skin(self, drawing: Drawing, window: Region, view: View) -> Tensor:
        """(h / 2, w / 2) bool of what the net sees of a window: regions that are the skin of a face."""
        faces = [] if self.finder is None else self.finder.find(np.ascontiguousarray(drawing.gray[window.slices]))
        down, across = view.size[0] / window.height / 2, view.size[1] / window.width / 2
        return torch.from_numpy(skin_of(view.labels[0].numpy(), faces, down, across))

    def with_reference(self, memory: ChapterMemory, picture: NDArray[np.uint8]) -> ChapterMemory:
        """The memory with the places of one coloured picture, (H, W, 3) uint8 sRGB."""
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        drawing = Drawing(gray, np.zeros(gray.shape, bool), "gray")
        for window in windows_of(drawing):
            view = View(drawing, window, self.net)

            def call(page: Tensor, hints: Tensor, palette: Tensor, labels: Tensor) -> Output:
                return self.net.described(page, hints, Guide(palette, labels))

            found = self.engine.run("painter", call, view.page, view.hints, memory.palette, view.labels)
            descriptors = cast(tuple[Tensor, Tensor], found)[1].float().cpu()
            colour = torch.from_numpy(np.array(picture[window.slices])).permute(2, 0, 1)[None].float() / 255
            paint = view.padded(without_ink(reduced(colour, view.size)))
            memory = memory.with_places(*places_of(descriptors[0], paint[0]))
        return memory


class View:
    """A window of a drawing as the net sees it.

    Attributes:
        size: height and width without padding, px of what the net sees.
        page: (1, 1, h, w) in 0..1, padded. hints: (1, 4, h, w), none. labels: (1, h / 2, w / 2) regions.
        blank: (h / 2, w / 2) bool, paper that stays white, padding included.
    """

    def __init__(self, drawing: Drawing, window: Region, net: PaintingNet) -> None:
        scale = min(1.0, net.long_side / max(window.width, window.height))
        self.size = (max(1, round(window.height * scale)), max(1, round(window.width * scale)))
        self.multiple_of = net.multiple_of
        gray = np.ascontiguousarray(drawing.gray[window.slices])
        white = torch.from_numpy(drawing.white(window))[None, None]
        self.page = self.padded(reduced(torch.from_numpy(gray)[None, None].float() / 255, self.size))
        share = F.pad(reduced(white, self.size), self.margin, value=1.0)
        self.blank = F.avg_pool2d(share, 2)[0, 0] > 0.5
        labels = labelled(gray, self.size, self.multiple_of, drawing.leaking(window))
        self.labels = torch.from_numpy(labels)[None]
        self.hints = unhinted(self.page)

    @property
    def margin(self) -> tuple[int, int, int, int]:
        return (0, -self.size[1] % self.multiple_of, 0, -self.size[0] % self.multiple_of)

    def padded(self, x: Tensor) -> Tensor:
        return F.pad(x, self.margin, mode="replicate")


def unhinted(page: Tensor) -> Tensor:
    """(N, 4, h, w) hints that nobody gave for (N, 1, h, w) pages: zeros that take no memory."""
    return page.new_zeros(1, 1, 1, 1).expand(len(page), 4, *page.shape[2:])


def skin_of(labels: NDArray[np.int64], faces: Sequence[Face], down: float, across: float) -> NDArray[np.bool_]:
    """Where the regions lie that are the skin of faces: those that cover most of the middle of a face.

    Args:
        labels: (H, W) regions.
        faces: their boxes.
        down: rows of `labels` per px of the boxes.
        across: columns of `labels` per px of the boxes.
    """
    left, right, top, bottom = CHEEKS
    found = set()
    for box in (face.region for face in faces):
        rows = slice(round((box.y + top * box.height) * down), round((box.y + bottom * box.height) * down))
        columns = slice(round((box.x + left * box.width) * across), round((box.x + right * box.width) * across))
        inside, count = np.unique(labels[rows, columns], return_counts=True)
        if len(count) and count.max() > SKIN_SHARE * count.sum():
            found.add(int(inside[count.argmax()]))
    return np.isin(labels, list(found))


def windows_of(drawing: Drawing) -> list[Region]:
    """The page, or some windows of a scroll strip."""
    height, width = drawing.gray.shape
    if not strips.is_strip(height, width):
        return [Region(0, 0, width, height)]
    windows = strips.cut(drawing.gray, round(1.4 * width), STRIP_OVERLAP)
    step = max(1, len(windows) // WINDOWS)
    return list(windows[::step][:WINDOWS])


def without_ink(colour: Tensor) -> Tensor:
    """(1, 3, H, W) sRGB in 0..1 with its drawn lines divided out: what lies under the ink."""
    picture = colour[0].permute(1, 2, 0).numpy()
    y = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    closed = cv2.morphologyEx(y, cv2.MORPH_CLOSE, np.ones((INK_SIDE, INK_SIDE), np.uint8))
    ink = np.clip((y + 0.02) / (closed + 0.02), 0.2, 1)
    return torch.from_numpy(np.clip(picture / ink[..., None], 0, 1)).permute(2, 0, 1)[None]
