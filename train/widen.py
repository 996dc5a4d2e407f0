"""A larger upscaler that computes what a trained one computes, to train on from there (Chen et al. 2016, Net2Net).

python -m train.widen FROM.safetensors TO.safetensors --channels 96 --pairs 8
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from mangapaint.models import store
from mangapaint.models.upscaler_net import UpscalerConfig, UpscalerNet


@torch.no_grad()
def widened(net: UpscalerNet, channels: int, pairs: int, seed: int = 0) -> UpscalerNet:
    """A net with at least as many channels and pairs and the same results.

    New channels read everything and are read by nothing yet: the columns through which old channels and heads would see
    them are zero, and so is the last convolution of each new pair. All of them have gradients.

    Raises:
        ValueError: it would become narrower or shorter.
    """
    if channels < net.config.channels or pairs < net.config.pairs:
        raise ValueError(f"{net.config} cannot become {channels} channels in {pairs} pairs: that is less")
    torch.manual_seed(seed)
    larger = UpscalerNet(replace(net.config, channels=channels, pairs=pairs))
    old, new = net.state_dict(), larger.state_dict()
    for name, tensor in new.items():
        if name in old:
            laid_into(tensor, old[name], reads_stream=not name.startswith("stem."))
        elif ".second." in name:
            tensor.zero_()
    return larger


def laid_into(new: Tensor, old: Tensor, *, reads_stream: bool) -> None:
    """Overwrite the part of a weight (out, in, 3, 3) or bias (out,) that the old one covers, in place."""
    outputs = old.shape[0]
    if old.ndim == 1:
        new[:outputs] = old
        return
    if reads_stream:
        new[:outputs] = 0
    new[:outputs, : old.shape[1]] = old


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target", type=Path)
    parser.add_argument("--channels", type=int, required=True)
    parser.add_argument("--pairs", type=int, required=True)
    options = parser.parse_args()
    net, spec = store.load(options.source, task="upscale")
    if not isinstance(net, UpscalerNet):
        raise SystemExit(f"{options.source} holds {type(net).__name__}, no upscaler of ours")
    larger = widened(net.float(), options.channels, options.pairs)
    config: UpscalerConfig = larger.config
    spec = replace(spec, config=asdict(config), receptive_field=config.receptive_field, name=options.target.stem)
    save_file({k: v.contiguous() for k, v in larger.state_dict().items()}, options.target, metadata=spec.metadata())
    print(f"{options.target}: {config}")


if __name__ == "__main__":
    main()
