"""The tasks that recipes name."""

from __future__ import annotations

from pathlib import Path

from train.loop import Task
from train.recipe import Recipe


def build(recipe: Recipe, corpus: Path) -> Task:
    """The task of a recipe, its options and net checked.

    Raises:
        ValueError: an unknown task, unknown options, or sets that the corpus lacks.
    """
    if recipe.task == "upscaler":
        from train.tasks.upscaler import UpscalerTask

        return UpscalerTask(recipe, corpus)
    if recipe.task == "painter":
        from train.tasks.painter import PainterTask

        return PainterTask(recipe, corpus)
    if recipe.task == "pix2pix":
        from train.tasks.pix2pix import Pix2PixTask

        return Pix2PixTask(recipe, corpus)
    if recipe.task == "features":
        from train.tasks.features import FeatureTask

        return FeatureTask(recipe, corpus)
    if recipe.task == "faces":
        from train.tasks.faces import FacesTask

        return FacesTask(recipe, corpus)
    if recipe.task == "paper":
        from train.tasks.paper import PaperTask

        return PaperTask(recipe, corpus)
    if recipe.task == "labgan":
        from train.tasks.labgan import LabGanTask

        return LabGanTask(recipe, corpus)
    if recipe.task == "zhang":
        from train.tasks.zhang import ZhangTask

        return ZhangTask(recipe, corpus)
    if recipe.task == "abgan":
        from train.tasks.abgan import AbGanTask

        return AbGanTask(recipe, corpus)
    if recipe.task == "portrait":
        from train.tasks.portrait import PortraitTask

        return PortraitTask(recipe, corpus)
    if recipe.task == "portrait_encoder":
        from train.tasks.portrait_encoder import PortraitEncoderTask

        return PortraitEncoderTask(recipe, corpus)
    raise ValueError(f"{recipe.name}: unknown task {recipe.task}")
