"""The painter's training: paint under known ink, ab under known luminance, palette always at hand.

Batches come in pairs. The two of a pair mostly show the same thing (another crop, another page of the title, other
tones) and are each other's memory; the others of the batch are there to be told apart from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from mangapaint.models.painter_net import MEMORY_STRIDE, TEMPERATURE, PainterConfig, PainterNet
from mangapaint.paint.palette import CELLS, mixed, palette_of
from train.adversary import PatchGAN, fool_loss, judge_loss
from train.corpus import Corpus, Item, Picture, resized
from train.loop import Batch, Phase
from train.recipe import Recipe, typed
from train.synth import pages
from train.synth.manga import MangaOptions, blur, ink_ratio, luminance, manga_like
from train.tasks.common import autocast
from train.tasks.painterlosses import (
    LOSER,
    better,
    cells_of,
    disagreement,
    painter_losses,
    sameness,
    vote_loss,
    voted_colour,
)
from train.tasks.painterpairs import composed, neighbours, swapped

VARIETY = 0.1
"""Weight of the sameness of two colourings by different noise."""
SOFT = 0.7
"""Pictures smaller than this share of the crop would be blurred; another is drawn."""
STRIDE = 4
"""Of the votes, px."""
OTHER_PAGE = 0.4
"""Share of the views that show another picture of the title, where it has more than one."""
OWN_PANEL = 0.6
"""Share of a page's panels that show the page's own title."""
STRANGERS = 0.15
"""Share of the samples that look at their partner though the two need not belong together."""
PRIOR_PICTURES = 600
KIND_PICTURES = 200
PAGE_NUMBER = re.compile(r"(P\d+|_+\d+|-\d+)$")


@dataclass(frozen=True, slots=True)
class PainterOptions:
    """Crops, augmentation and conditioning; the drawing's options are MangaOptions."""

    sides: tuple[int, ...] = (160, 192, 256)
    """Sides of the square batches, multiples of 32; the batch size is for the first, larger ones take fewer."""
    pages: float = 0.4
    """Share of synthetic pages among pictures, reached at half of the schedule."""
    permuted: float = 0.2
    """Share with the colour channels permuted in target, hints and palette together."""
    saturated: float = 1.3
    """Targets are saturated by up to this factor."""
    foreign: float = 0.3
    """Share whose palette holds another picture's colours too, as a chapter's palette does on one page."""
    hinted: float = 0.3
    """Share that gets 1-12 patches of the true colour as hints."""
    together: float = 0.6
    """Share of the pairs that show the same picture or title."""
    remembered: float = 0.6
    """Share of the samples that have their partner as memory."""
    crowd: float = 0.5
    """Share of the batches whose memories hold three other samples too."""
    titled: tuple[str, ...] = ("peppercarrot_pages", "asp_ccby_colour", "bookdash", "nylnook_frogs")
    """Sets whose pictures of one title share characters; elsewhere each picture is a title of its own."""
    twins: float = 0.25
    """Share of the pairs that are one crop drawn in different tones, and must get the same colours."""
    agree: float = 0.3
    """Weight of their disagreement."""
    varied: float = 0.2
    """Share of the samples that are coloured twice, by different noise, where the net has a latent."""
    judged: float = 0.0
    """Weight of a discriminator's word on the colours at stride 4 (stage B); 0 trains none."""
    judged_from: float = 0.5
    """Share of the schedule after which it speaks."""
    judge: int = 32
    """Channels of the discriminator's first layer."""
    open: float = 0.3
    """Share of the pairs that are told no colours of their own: these must come from what is drawn."""
    typical: float = 0.5
    """Of those, told the typical palette of their kind of art; the others get the corpus' mean."""
    lent: float = 0.25
    """Of the pairs that show the same title, told each other's colours and none of their own."""
    kinds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Kinds of art and their sets: as many as the net has typical palettes. Sets of no kind are told the mean."""
    gray: float = 0.15
    toned: float = 0.45
    hashed: float = 0.8
    blank: float = 0.6

    @property
    def manga(self) -> MangaOptions:
        own: dict[str, Any] = asdict(self)
        return MangaOptions(**{f.name: own[f.name] for f in fields(MangaOptions)})


class PainterTask:
    """See the module."""

    main = "painter"

    def __init__(self, recipe: Recipe, corpus: Path) -> None:
        self.options = typed(PainterOptions, recipe.options, "[options]")
        self.config = typed(PainterConfig, recipe.net, "[net]")
        self.corpus = Corpus(corpus, dict(recipe.sets))
        if len(self.options.kinds) != self.config.kinds:
            raise ValueError(f"{len(self.options.kinds)} kinds of art for a net of {self.config.kinds}")

    def nets(self) -> dict[str, nn.Module]:
        net = PainterNet(self.config)
        if self.config.descriptor:
            cast(Tensor, net.prior).copy_(self.prior)
        if self.config.kinds:
            cast(Tensor, net.typical).copy_(self.typical)
        if not self.options.judged:
            return {"painter": net}
        return {"painter": net, "judge": PatchGAN(3 + STRIDE**2, self.options.judge, "spectral", (1, 2, 2))}

    @cached_property
    def prior(self) -> Tensor:
        """(1, 216) mean palette of the corpus, in the sets' proportions."""
        rng = np.random.default_rng(0)
        tiles = np.stack([resized(self.corpus.draw(rng)[1], 64, 64) for _ in range(PRIOR_PICTURES)])
        found = palette_of(torch.from_numpy(tiles).permute(0, 3, 1, 2).float() / 255)
        return mixed(found, torch.ones(len(found)))

    @cached_property
    def typical(self) -> Tensor:
        """(kinds, 216) mean palettes of the kinds of art; the corpus' where it has no picture of a kind."""
        rng, means = np.random.default_rng(0), self.prior.repeat(self.config.kinds, 1)
        for kind, sets in enumerate(self.options.kinds.values()):
            having = [index for index, item in enumerate(self.corpus.items) if item.set in sets]
            if not having:
                continue
            chosen = rng.permutation(having)[:KIND_PICTURES]
            tiles = np.stack([resized(self.corpus.picture(int(index)), 128, 128) for index in chosen])
            found = palette_of(torch.from_numpy(tiles).permute(0, 3, 1, 2).float() / 255)
            means[kind] = mixed(found, torch.ones(len(found)))[0]
        return means

    def known(self, item: Item, rng: np.random.Generator) -> Tensor:
        """(1, 216) that a picture is told where its own colours are withheld."""
        of = [kind for kind, sets in enumerate(self.options.kinds.values()) if item.set in sets]
        return self.typical[of] if of and rng.random() < self.options.typical else self.prior

    @cached_property
    def titles(self) -> dict[str, list[int]]:
        """Pictures of the corpus by title."""
        found: dict[str, list[int]] = {}
        for index, item in enumerate(self.corpus.items):
            found.setdefault(self.title(item), []).append(index)
        return found

    def title(self, item: Item) -> str:
        """Set and story: the name without the number of the page."""
        name = item.name.rsplit(".", 1)[0]
        return f"{item.set}/{PAGE_NUMBER.sub('', name) if item.set in self.options.titled else name}"

    def relative(self, item: Item, picture: Picture, rng: np.random.Generator) -> Picture:
        """The picture itself, or another one of its title."""
        alike = self.titles[self.title(item)]
        if len(alike) > 1 and rng.random() < OTHER_PAGE:
            return self.corpus.picture(alike[int(rng.integers(len(alike)))])
        return picture

    def piece(self, picture: Picture, height: int, width: int, rng: np.random.Generator) -> Picture:
        """(height, width, 3) crop that shows most of a picture, mirrored half the time."""
        tall, wide = picture.shape[:2]
        span = rng.uniform(0.55, 1.0) * min(tall / height, wide / width)
        if min(tall, wide) > 700:  # whole comic pages: figures are small on them already
            span = rng.uniform(1.0, 2.4) if rng.random() < 0.8 else span
            span = min(span, tall / height, wide / width)
        rows, columns = max(8, int(height * span)), max(8, int(width * span))
        y, x = int(rng.integers(0, tall - rows + 1)), int(rng.integers(0, wide - columns + 1))
        crop = resized(picture[y : y + rows, x : x + columns], height, width)
        return crop[:, ::-1] if rng.random() < 0.5 else crop

    def sharp(self, height: int, width: int, rng: np.random.Generator) -> tuple[Item, Picture]:
        """A picture that is not much smaller than the crop."""
        for _ in range(5):
            item, picture = self.corpus.draw(rng)
            if min(picture.shape[0] / height, picture.shape[1] / width) > SOFT:
                break
        return item, picture

    def view(
        self, own: tuple[Item, Picture], side: int, as_page: bool, rng: np.random.Generator
    ) -> tuple[Picture, NDArray[np.bool_]]:
        """A square crop of the picture or its title, or a page whose panels mostly show it; and its paper."""
        if not as_page:
            return self.piece(self.relative(*own, rng), side, side, rng), np.zeros((side, side), bool)

        def panel(height: int, width: int) -> Picture:
            shown = self.relative(*own, rng) if rng.random() < OWN_PANEL else self.sharp(height, width, rng)[1]
            return self.piece(shown, height, width, rng)

        return pages.page(side, panel, rng)

    def batch(self, rng: np.random.Generator, size: int, done: float) -> Batch:
        sides = self.options.sides
        side = int(rng.choice(sides))
        pairs = max(2, round(size * (sides[0] / side) ** 2 / 2))
        colour = np.empty((2 * pairs, side, side, 3), np.uint8)
        paper = np.zeros((2 * pairs, side, side), bool)
        together = rng.random(pairs) < self.options.together
        twin = rng.random(pairs) < self.options.twins
        known = []
        for pair in range(pairs):
            own = self.sharp(side, side, rng)
            known.append(self.known(own[0], rng))
            as_page = rng.random() < self.options.pages * min(1.0, 0.25 + 1.5 * done)
            for i in (2 * pair, 2 * pair + 1):
                colour[i], paper[i] = self.view(own, side, as_page, rng)
                if not together[pair]:
                    own = self.sharp(side, side, rng)
            if twin[pair]:
                colour[2 * pair + 1], paper[2 * pair + 1] = colour[2 * pair], paper[2 * pair]
        together |= twin
        picture = torch.from_numpy(colour).permute(0, 3, 1, 2).float() / 255
        opened = rng.random(pairs) < self.options.open
        picture = self.recoloured(picture, opened, rng)
        with torch.no_grad():
            page, is_gray = self.drawn(picture, rng)
            palette = self.palettes(picture, together, torch.cat(known), opened, rng)
            ink = ink_ratio(luminance(picture))
        remembered = (rng.random(2 * pairs) < self.options.remembered) & np.repeat(together, 2)
        remembered |= rng.random(2 * pairs) < STRANGERS
        hints, both = self.hints(picture, rng), torch.from_numpy(twin)
        hints[1::2][both] = hints[0::2][both]
        return {
            "picture": picture,
            "ink": ink,
            "page": page,
            "gray": is_gray,
            "palette": palette,
            "hints": hints,
            "paper": torch.from_numpy(paper)[:, None],
            "temperature": torch.tensor(1.0 if rng.random() < 0.5 else TEMPERATURE),
            "remembered": torch.from_numpy(remembered & ~np.repeat(twin, 2)),
            "twin": both & ~(is_gray[0::2] | is_gray[1::2]),
            "varied": torch.from_numpy((rng.random(2 * pairs) < self.options.varied) & ~np.repeat(twin, 2)),
            "latent": torch.from_numpy(rng.normal(0, 1, (2, 2 * pairs, self.config.latent)).astype(np.float32)),
            "open": torch.from_numpy(np.repeat(opened, 2)),
            "crowd": torch.tensor(rng.random() < self.options.crowd),
        }

    def drawn(self, picture: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """As of `manga_like`; the two of a pair are drawn by different pens and scanners."""
        page, is_gray = (
            picture.new_empty(len(picture), 1, *picture.shape[2:]),
            torch.zeros(len(picture), dtype=torch.bool),
        )
        for half in (slice(0, None, 2), slice(1, None, 2)):
            page[half], is_gray[half] = manga_like(picture[half], self.options.manga, rng)
        return page, is_gray

    def palettes(
        self,
        picture: Tensor,
        together: NDArray[np.bool_],
        known: Tensor,
        opened: NDArray[np.bool_],
        rng: np.random.Generator,
    ) -> Tensor:
        """Own colours, those of the partner where the two belong together, some of a stranger; or what is `known`.

        Lent are the partner's colours and what is known, as with a reference: own ones may be missing.

        Shares are never quite right, as a chapter's are not on one page.
        """
        own = palette_of(picture)
        partner = swapped(own)
        joint = torch.from_numpy(np.repeat(together & (rng.random(len(together)) < 0.8), 2))[:, None]
        known = known.repeat_interleave(2, 0)
        palette = torch.where(joint, ((own.square() + partner.square()) / 2).sqrt(), own)
        lent = torch.from_numpy(np.repeat(together & (rng.random(len(together)) < self.options.lent), 2))[:, None]
        palette = torch.where(lent, ((known.square() + partner.square()) / 2).sqrt(), palette)
        foreign = torch.from_numpy(np.repeat(rng.random(len(together)) < self.options.foreign, 2).astype(np.float32))
        palette = palette + 0.5 * foreign[:, None] * palette.roll(2, 0)
        palette = torch.where(torch.from_numpy(np.repeat(opened, 2))[:, None], known, palette)
        jitter = np.exp(rng.normal(0, 0.3, (len(together), CELLS))).astype(np.float32)
        return palette * torch.from_numpy(jitter).repeat_interleave(2, 0)

    def recoloured(self, picture: Tensor, opened: NDArray[np.bool_], rng: np.random.Generator) -> Tensor:
        """Saturation raised in all, channels permuted in some, pair by pair: palette and memory are taken after this.

        Without permutation a net would learn to paint what is likely and not what its memory says. Pairs that are
        told no colours of their own (`opened`) keep theirs: what is likely is all that they can learn.
        """
        pairs = len(picture) // 2
        gain = np.repeat(rng.uniform(1, self.options.saturated, (pairs, 1, 1, 1)), 2, 0).astype(np.float32)
        y = luminance(picture)
        picture = (y + (picture - y) * torch.from_numpy(gain)).clamp(0, 1)
        for i in np.nonzero((rng.random(pairs) < self.options.permuted) & ~opened)[0]:
            both = slice(2 * i, 2 * i + 2)
            picture[both] = picture[both][:, torch.from_numpy(rng.permutation(3))]
        return picture

    def hints(self, picture: Tensor, rng: np.random.Generator) -> Tensor:
        """(N, 4, H, W): square patches of the smoothed true colour, and their mask."""
        n, _, height, width = picture.shape
        mask = torch.zeros(n, 1, height, width)
        for i in np.nonzero(rng.random(n) < self.options.hinted)[0]:
            for _ in range(int(rng.integers(1, 13))):
                half = int(rng.integers(1, 7))
                y, x = int(rng.integers(0, height)), int(rng.integers(0, width))
                mask[i, :, max(0, y - half) : y + half, max(0, x - half) : x + half] = 1
        return torch.cat([blur(picture, 2.0) * mask, mask], 1)

    def phases(self, nets: Mapping[str, nn.Module], batch: Batch, done: float) -> Iterator[Phase]:
        picture, page = batch["picture"], batch["page"].contiguous(memory_format=torch.channels_last)
        net = cast(PainterNet, nets["painter"])
        paint = (picture / batch["ink"].clamp_min(0.2)).clamp(0, 1)
        latent = batch["latent"][0] * batch["varied"][:, None]
        with autocast(page.device):
            seen = net.look(page, batch["hints"], batch["palette"], latent)
            memory = None
            if self.config.descriptor:
                tokens = neighbours(seen.descriptors, cells_of(paint, MEMORY_STRIDE), bool(batch["crowd"]))
                memory = tokens._replace(given=batch["remembered"])
            output, votes, cells = net.choose(seen, batch["palette"], float(batch["temperature"]), memory=memory)
        losses = painter_losses(output, picture, batch["gray"], batch["paper"], batch["ink"])
        truth = cells_of(paint, 4)
        trust = torch.ones(len(votes), device=page.device)
        if self.config.latent and (varied := batch["varied"].nonzero().flatten()).numel():
            part = {key: batch[key][varied] for key in ("hints", "palette", "paper")}
            with autocast(page.device):
                again = net.look(page[varied], part["hints"], part["palette"], batch["latent"][1, varied])
                _, _, given, other = net.votes(again.features, part["palette"])
            other = other.masked_fill(~given[:, :, None, None], -30.0)
            told = (cells[varied], truth[varied], part["paper"])
            won = better(votes[varied], other, *told).float()
            trust[varied] = LOSER + (1 - LOSER) * won
            losses["other"] = vote_loss(other, *told, LOSER + (1 - LOSER) * (1 - won)) * len(varied) / len(votes)
            losses["same"] = VARIETY * sameness(votes[varied], other, cells[varied])
        losses["vote"] = vote_loss(votes, cells, truth, batch["paper"], trust)
        if (twins := batch["twin"].nonzero().flatten()).numel():
            losses["twins"] = self.options.agree * disagreement(votes, cells, twins)
        if self.config.descriptor and (guessed := batch["open"].nonzero().flatten()).numel():
            with autocast(page.device):
                guess = net.guess(seen.features[guessed]).float()
            everything = torch.arange(CELLS, device=page.device).expand(len(guessed), -1)
            losses["guess"] = vote_loss(guess, everything, truth[guessed], batch["paper"][guessed])
        if self.options.judged and done >= self.options.judged_from:
            judge, drawing = nets["judge"], F.pixel_unshuffle(page, STRIDE)
            made = voted_colour(votes, cells)
            with autocast(page.device):
                real = judge(torch.cat([F.avg_pool2d(paint, STRIDE), drawing], 1))
                fake = judge(torch.cat([made.detach(), drawing], 1))
            judged = judge_loss(real, fake, "hinge")
            yield Phase("judge", judged, {"judge": judged.item()})
            judge.requires_grad_(False)
            with autocast(page.device):
                losses["fool"] = self.options.judged * fool_loss(judge(torch.cat([made, drawing], 1)), "hinge")
            judge.requires_grad_(True)
        scalars = {key: value.item() for key, value in losses.items()}
        yield Phase("painter", torch.stack(list(losses.values())).sum(), scalars)

    def samples(self, net: nn.Module, device: torch.device) -> NDArray[np.uint8]:
        batch = {key: value.to(device) for key, value in self.batch(np.random.default_rng(5), 12, 1.0).items()}
        with torch.inference_mode(), autocast(device):
            output = cast(PainterNet, net)(batch["page"], batch["hints"], batch["palette"], TEMPERATURE)[0]
        painted = composed(output, batch["page"], batch["gray"])
        rows = [batch["page"].expand(-1, 3, -1, -1), painted, batch["picture"]]
        sheet = torch.cat([torch.cat(list(row.cpu()), 2) for row in rows], 1)
        return (sheet.permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy()
