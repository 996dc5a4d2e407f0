"""The painter: gray page, hints, a palette and a memory in, a colour layer at half resolution out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mangapaint.models.election import Common, agreed, balanced, by_region, elected, settled, shares_of
from mangapaint.models.lab import rgb_to_lab
from mangapaint.models.painter_blocks import (
    PALETTE,
    PaletteKeys,
    Residual,
    SelfAttention,
    four_at_once,
    pooled,
    unit,
    unshuffled,
)
from mangapaint.models.painter_blocks import PainterConfig as PainterConfig
from mangapaint.models.painting import Guide, Kin, Memory
from mangapaint.models.regional import keys_of, mean_by

TEMPERATURE = 0.4
"""Of the votes at use (annealed mean, Zhang et al. 2016: .38); in training half of the batches see it."""
REFINEMENT = 0.7
"""Largest change of a voted colour, in logits: enough for shading, too little to turn it into another."""
TOGETHER = 0.85
"""Weight of a region's common vote against that of each place."""
SHADED_TEMPERATURE, SHADED_TOGETHER = 1.0, 0.5
"""TEMPERATURE and TOGETHER on pages that keep their own luminance: soft changes of colour follow their shades, and
lines enclose little."""
FREE_TEMPERATURE = 0.7
"""Of the votes where no palette is known, for all 216 cells."""
LIKELY = 64
"""Cells of a page that are voted for where no palette is known."""
FREE_TOGETHER = 0.4
"""TOGETHER where no palette is known: such pages are shaded, and lines enclose little."""
FREE_GAIN = 1.9
"""On a*, b* where no palette is known: the mean of many possible colours is paler than any of them."""
MEMORY_STRIDE = 8
"""Pixels of the page per descriptor."""
CROP_TOKENS = 256
"""Tokens of a memory in training: a larger memory is not believed more for its size."""
ABSENT = -30.0
"""Logit of a colour that is not in the palette."""
DOUBT = 1e-3
"""Share of a recalled colour below which it counts as not recalled."""


class Seen(NamedTuple):
    """What the net found on a batch of pages before any colour was chosen.

    features: (N, channels[0], H / 4, W / 4). descriptors: (N, D, H / 8, W / 8) unit vectors, alike where the same
    thing is drawn.
    """

    features: Tensor
    descriptors: Tensor


class PainterNet(nn.Module):
    """Pixel-unshuffle by 4, a residual U-Net at strides 4-32 with attention at the bottom, FiLM by the palette.

    Each place of stride 4 votes for the colours of the palette (a pointer: Vinyals et al. 2015; colour as
    classification: Zhang et al. 2016). Places of a memory that look alike vote along: what is recalled is a share of
    colours, never features, so that it follows a reference whatever its hues are. The mean under a softened vote is
    refined at stride 2. FiLM: Perez et al. 2018.
    """

    long_side = 1024
    multiple_of = 32

    @property
    def descriptor_width(self) -> int:
        return self.config.descriptor

    @property
    def latent_size(self) -> int:
        return self.config.latent

    @property
    def remembers(self) -> bool:
        """Whether it can follow a memory and guess colours without a palette."""
        return self.config.descriptor > 0

    def __init__(self, config: PainterConfig) -> None:
        super().__init__()
        self.config = config
        c, blocks = config.channels, config.blocks
        self.stem = nn.Conv2d(5 * 16, c[0], 3, padding=1)
        self.encoder = nn.ModuleList(
            nn.Sequential(*(Residual(k) for _ in range(n))) for k, n in zip(c, blocks, strict=True)
        )
        self.down = nn.ModuleList(nn.Conv2d(c[i], c[i + 1], 2, stride=2) for i in range(3))
        self.bottom = nn.Sequential(
            SelfAttention(c[3], config.heads), Residual(c[3]), SelfAttention(c[3], config.heads), Residual(c[3])
        )
        self.up = nn.ModuleList(nn.Conv2d(c[i + 1], c[i] * 4, 1) for i in range(3))
        self.merge = nn.ModuleList(nn.Conv2d(2 * c[i], c[i], 1) for i in range(3))
        self.decoder = nn.ModuleList(nn.Sequential(*(Residual(c[i]) for _ in range(blocks[i]))) for i in range(3))
        e, width = config.embedding, config.key_width
        self.embed = nn.Sequential(nn.Linear(PALETTE, e), nn.SiLU(), nn.Linear(e, e), nn.SiLU())
        self.film = nn.ModuleList(nn.Linear(e, 2 * k) for k in c)
        for layer in self.film:
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        self.keys = PaletteKeys(config.colours, width)
        self.query = nn.Sequential(
            nn.SiLU(), nn.Conv2d(c[0], 2 * width, 3, padding=1), nn.SiLU(), nn.Conv2d(2 * width, width, 1)
        )
        self.head = nn.Sequential(
            nn.SiLU(),
            nn.Conv2d(c[0] + 3, 128, 3, padding=1),
            nn.PixelShuffle(2),
            nn.SiLU(),
            nn.Conv2d(32, 5, 3, padding=1),
        )
        for layer in (self.stem, *self.down, *self.up, *self.merge):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
        last = self.head[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.register_buffer("bank", torch.zeros(config.bank, PALETTE))
        if config.latent:
            self.noise = nn.Linear(config.latent, e, bias=False)
            nn.init.normal_(self.noise.weight, 0.0, 0.1)
        if config.descriptor:
            self.describe = nn.Conv2d(c[1], config.descriptor, 1)
            self.likeness = nn.Parameter(torch.tensor(10.0))
            self.strange = nn.Parameter(torch.tensor(6.0))
            self.trust = nn.Parameter(torch.tensor(0.3))
            self.guess = nn.Sequential(
                nn.SiLU(), nn.Conv2d(c[0], 2 * width, 3, padding=1), nn.SiLU(), nn.Conv2d(2 * width, PALETTE, 1)
            )
            self.register_buffer("prior", torch.zeros(1, PALETTE))
        if config.kinds:
            self.register_buffer("typical", torch.zeros(config.kinds, PALETTE))
            self.register_buffer("kind_weight", torch.zeros(2 * (c[0] + config.descriptor), config.kinds + 1))
            self.register_buffer("kind_bias", torch.zeros(config.kinds + 1))

    def modulated(self, level: int, x: Tensor, embedding: Tensor) -> Tensor:
        scale, shift = self.film[level](embedding)[:, :, None, None].chunk(2, 1)
        y: Tensor = x * (1 + scale) + shift
        return y

    def merged(self, level: int, x: Tensor, embedding: Tensor) -> Tensor:
        """Merge, then `modulated`; where the batch is told one palette, its scale and shift go into the weights."""
        merge = cast(nn.Conv2d, self.merge[level])
        if len(embedding) > 1:
            return self.modulated(level, merge(x), embedding)
        scale, shift = self.film[level](embedding)[0].chunk(2)
        weight, bias = merge.weight * (1 + scale)[:, None, None, None], cast(Tensor, merge.bias) * (1 + scale) + shift
        return F.conv2d(x, weight, bias)

    def look(self, page: Tensor, hints: Tensor, palette: Tensor, latent: Tensor | None = None) -> Seen:
        """See `forward` for the arguments; without a latent the net decides for the likeliest colouring."""
        if not palette.shape[1]:
            palette = cast(Tensor, self.prior).expand(len(page), -1)
        embedding = self.embed(palette)
        if latent is not None and self.config.latent:
            embedding = embedding + self.noise(latent.to(embedding.dtype))
        x = self.entered(page, hints)
        skips = []
        for level in range(4):
            x = unit(self.encoder[level](x))
            if level < 3:
                skips.append(x)
                x = self.down[level](x)
        x = unit(self.bottom(self.modulated(3, x, embedding)))
        descriptors = x.new_zeros(len(x), 0, 1, 1)
        for level in (2, 1, 0):
            x = torch.cat([F.pixel_shuffle(self.up[level](x), 2), skips[level]], 1)
            x = unit(self.decoder[level](self.merged(level, x, embedding)))
            if level == 1 and self.config.descriptor:
                descriptors = F.normalize(self.describe(x).float(), dim=1)
        return Seen(x, descriptors)

    def entered(self, page: Tensor, hints: Tensor) -> Tensor:
        """(N, channels[0], H / 4, W / 4); where nobody gave a hint, which is usual, their zeros are left out."""
        told = torch.cat([page, hints], 1) if bool(hints[:, 3].any()) else page
        places = unshuffled(told, 4)
        return F.conv2d(places, self.stem.weight[:, : places.shape[1]], self.stem.bias, padding=1)

    def recalled(self, descriptors: Tensor, memory: Memory, cells: Tensor, given: Tensor) -> Tensor:
        """What the memory says: (N, K, H / 8, W / 8) log shares of the palette's colours at each place, 0 if not given.

        Args:
            descriptors: (N, D, H / 8, W / 8).
            memory: its tokens; a place that is like none of them gets equal shares.
            cells: (N, K) int64 cells of the palette.
            given: (N, K) bool, which of them are in it.
        """
        n, _, height, width = descriptors.shape
        size = math.log(max(1.0, memory.keys.shape[1] / CROP_TOKENS))
        alike = descriptors.flatten(2).transpose(1, 2) @ memory.keys.transpose(1, 2) * self.likeness - size
        if memory.given is not None:
            alike = alike.masked_fill(~memory.given[:, None, None], -30.0)
        nothing = self.strange.expand(n, height * width, 1)
        share = torch.softmax(torch.cat([alike, nothing], 2), 2)
        values = memory.values.expand(n, -1, -1)
        known = share[:, :, :-1] @ values.gather(2, cells[:, None].expand(-1, values.shape[1], -1))
        equal = given.float() / given.sum(1, keepdim=True).clamp_min(1)
        shares = known + share[:, :, -1:] * equal[:, None]
        said = torch.log(shares + DOUBT).masked_fill(~given[:, None], 0.0)
        return said.transpose(1, 2).reshape(n, -1, height, width)

    def votes(self, x: Tensor, palette: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Heaviest cells of the palette (N, K), their sRGB (N, K, 3), which are given, logits (N, K, H / 4, W / 4).

        Keys meet the last layer of the query first, then the places: K numbers of a place are fewer than its query.
        """
        cells, colours, keys, given = self.keys(palette)
        hidden, last = self.query[:-1](x), cast(nn.Conv2d, self.query[-1])
        keys = (keys / self.config.key_width**0.5).masked_fill(~given[..., None], 0.0)
        weight = keys @ last.weight.flatten(1)
        bias = (keys @ cast(Tensor, last.bias)).masked_fill(~given, ABSENT)
        logits = torch.baddbmm(bias[:, None], hidden.flatten(2).transpose(1, 2), weight.transpose(1, 2)).float()
        return cells, colours, given, logits.transpose(1, 2).reshape(len(x), -1, *x.shape[2:])

    def guesses(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The same for the cells that the page as a whole makes likely, by what is drawn alone."""
        logits = self.guess(x).float()
        cells = torch.softmax(logits, 1).mean((2, 3)).topk(LIKELY, 1).indices
        colours = torch.stack([cells // 36, cells // 6 % 6, cells % 6], 2).float() / 5
        chosen = logits.gather(1, cells[:, :, None, None].expand(-1, -1, *logits.shape[2:]))
        return cells, colours, torch.ones_like(cells, dtype=torch.bool), chosen

    def choose(
        self,
        seen: Seen,
        palette: Tensor,
        temperature: float = 1.0,
        regions: Tensor | None = None,
        memory: Memory | None = None,
        kin: Kin | None = None,
        shaded: Tensor | None = None,
        balance: float = 0.0,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `forward`; for pages that are `shaded` (N,), and for `balance`, see Guide."""
        x = seen.features
        free = not palette.shape[1]
        in_ink = shaded is not None and not bool(shaded.any())
        cells, colours, votes = self.remembered(seen, palette, memory, balance)
        with torch.no_grad():  # votes learn from their own loss: an L1 loss would teach them the average again
            usual = (FREE_TEMPERATURE, FREE_TOGETHER) if free else (temperature, TOGETHER)
            soft = usual if free else (SHADED_TEMPERATURE, SHADED_TOGETHER)
            how = [soft if shaded is not None and bool(shaded[i]) else usual for i in range(len(votes))]
            mean = self.colour_of(votes, seen, cells, colours, how, regions, kin)
        y = torch.tanh(self.refined(x, mean, 3 if in_ink else 5).float())
        start = mean.clamp(0.02, 0.98)
        paint = start / (start + (1 - start) * torch.exp(-REFINEMENT * y[:, :3]))  # logits added
        if in_ink:
            return F.pad(paint.contiguous(), (0, 0, 0, 0, 0, 2)), votes, cells
        ab = rgb_to_lab(mean)[:, 1:] / 110 * (FREE_GAIN if free else 1) + 0.2 * REFINEMENT * y[:, 3:]
        return torch.cat([paint, ab], 1), votes, cells

    def refined(self, x: Tensor, mean: Tensor, count: int) -> Tensor:
        """(N, count, H / 2, W / 2): the first `count` of the head's five changes, before tanh."""
        coarse = F.avg_pool2d(mean, 2).to(x.dtype, memory_format=torch.channels_last)
        fine, last = self.head[:-1](torch.cat([x, coarse], 1)), cast(nn.Conv2d, self.head[-1])
        weight, bias = last.weight[:count], cast(Tensor, last.bias)[:count]
        if count > 4 or not x.is_cpu or torch.is_grad_enabled():
            return F.conv2d(fine, weight, bias, padding=1)
        return four_at_once(fine, weight, bias)

    def remembered(
        self, seen: Seen, palette: Tensor, memory: Memory | None, balance: float = 0.0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Cells (N, K), their sRGB (N, K, 3), and what places vote together with the memory (N, K, H / 4, W / 4)."""
        x = seen.features
        cells, colours, given, votes = self.votes(x, palette) if palette.shape[1] else self.guesses(x)
        if memory is not None:
            said = self.recalled(seen.descriptors, memory, cells, given)
            votes = votes + self.trust * F.interpolate(said, scale_factor=2, mode="bilinear", align_corners=False)
        if balance and palette.shape[1]:
            votes = balanced(votes, palette.gather(1, cells).square(), balance)
        return cells, colours, votes

    def colour_of(
        self,
        votes: Tensor,
        seen: Seen,
        cells: Tensor,
        colours: Tensor,
        how: Sequence[tuple[float, float]],
        regions: Tensor | None,
        kin: Kin | None,
    ) -> Tensor:
        """(N, 3, H / 2, W / 2) sRGB that the votes (N, K, H / 4, W / 4) for `cells` (N, K) come to.

        `how`: temperature and weight of the regions' common vote, of each page.
        """
        n, _, height, width = votes.shape
        mean = []
        for i, (shares, (temperature, together)) in enumerate(zip(shares_of(votes), how, strict=True)):
            told = None
            if regions is not None:
                common = by_region(shares, regions[i])
                if kin is not None:
                    common = agreed(common, cells[i], seen.descriptors[i], regions[i], kin)
                told = Common(common, regions[i], together)
            mean.append(elected(shares, colours[i].float(), temperature, told))
        return torch.stack(mean).transpose(1, 2).reshape(n, 3, 2 * height, 2 * width)

    def forward(
        self,
        page: Tensor,
        hints: Tensor,
        palette: Tensor,
        temperature: float = 1.0,
        regions: Tensor | None = None,
        memory: Memory | None = None,
        kin: Kin | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Paint a batch.

        Args:
            page: (N, 1, H, W) luminance in 0..1, H and W multiples of 32.
            hints: (N, 4, H, W): sRGB in 0..1 times mask, and the mask (1 where an artist gave a colour).
            palette: (N, 216), see paint.palette; (N, 0) where none is known: what is drawn decides.
            temperature: of the vote; under 1 the favourite colour counts for more (annealed mean).
            regions: (N, H / 2, W / 2) int64 labels from 0; the places of a region then vote together.
            memory: coloured places to follow where the page looks like them.
            kin: regions of the chapter that vote along with regions like them; needs `regions`.

        Returns:
            paint (N, 5, H / 2, W / 2) float32: sRGB in 0..1, then ab of CIE Lab / 110; votes (N, K, H / 4, W / 4)
            float32 logits; cells (N, K) int64: which cells of the palette they are for.
        """
        return self.choose(self.look(page, hints, palette), palette, temperature, regions, memory, kin)

    def kinds_of(self, page: Tensor, hints: Tensor) -> Tensor:
        """(N, kinds + 1) shares: which kind of coloured art pages are of; the last is drawn without, as manga is.

        Arguments as of `forward`. (N, 0) where the net has no typical palettes.
        """
        if not self.config.kinds:
            return page.new_zeros(len(page), 0)
        found = pooled(self.look(page, hints, page.new_zeros(len(page), 0)))
        weight, bias = cast(Tensor, self.kind_weight).float(), cast(Tensor, self.kind_bias).float()
        return torch.softmax(found @ weight + bias, 1)

    def paints(self, page: Tensor, hints: Tensor, guide: Guide) -> Tensor:
        """See mangapaint.models.painting.PaintingNet."""
        return self.described(page, hints, guide)[0]

    def described(self, page: Tensor, hints: Tensor, guide: Guide) -> tuple[Tensor, Tensor]:
        """Paint as of `paints`, and the descriptors of the places: (N, D, h / 8, w / 8)."""
        seen = self.look(page, hints, guide.palette, guide.latent) if guide.seen is None else Seen(*guide.seen)
        memory, kin = (guide.memory, guide.kin) if self.remembers else (None, None)
        told = guide.regions, memory, kin, guide.shaded, guide.balance
        found = self.choose(seen, guide.palette, TEMPERATURE, *told)
        return found[0], seen.descriptors

    def kin_of(
        self, page: Tensor, hints: Tensor, guide: Guide, blank: Tensor, most: int, skin: Tensor | None = None
    ) -> Kin:
        """The largest regions of one page with what they voted for, for the other pages of the chapter.

        Args:
            page: (1, 1, H, W), as of `paints`.
            hints: (1, 4, H, W).
            guide: with regions; its kin is not asked.
            blank: (H / 2, W / 2) bool, paper: regions that are mostly paper are left out.
            most: regions to keep.
            skin: (H / 2, W / 2) bool, regions that are the skin of a face; None where nobody looked for faces.
        """
        return self.kin_among(self.look(page, hints, guide.palette, guide.latent), guide, blank, most, skin)

    def alone(self, page: Tensor, hints: Tensor, guide: Guide, blank: Tensor, most: int) -> Tensor:
        """Paint one page whose like regions agree: `kin_of`, then `paints` with that kin; arguments as of `kin_of`."""
        seen = self.look(page, hints, guide.palette, guide.latent)
        kin = self.kin_among(seen, guide, blank, most) if self.remembers else None
        if kin is not None:
            kin = settled(kin) if len(kin.keys) else None
        told = guide.regions, guide.memory, kin, guide.shaded, guide.balance
        return self.choose(seen, guide.palette, TEMPERATURE, *told)[0]

    def kin_among(self, seen: Seen, guide: Guide, blank: Tensor, most: int, skin: Tensor | None = None) -> Kin:
        """See `kin_of`; `seen` is of one page."""
        if guide.regions is None:
            raise ValueError("kin are regions: the guide has none")
        cells, _, votes = self.remembered(seen, guide.palette, guide.memory, guide.balance)
        label = guide.regions[0].flatten()
        marks = torch.stack([blank, torch.zeros_like(blank) if skin is None else skin]).flatten(1).T.float()
        mean, marked = by_region(shares_of(votes)[0], guide.regions[0]), mean_by(marks, label, int(label.max()) + 1)
        known, keys = keys_of(seen.descriptors[0], guide.regions[0])
        size = torch.bincount(label)[known] * (marked[known, 0] < 0.5)
        order = size.argsort(descending=True, stable=True)[:most]
        order = order[size[order] > 0]
        spread = mean.new_full((len(order), PALETTE), math.log(DOUBT))
        ballots = spread.scatter_(1, cells.expand(len(order), -1), mean[known[order]])
        return Kin(keys[order], ballots, marked[known[order], 1] > 0.5)
