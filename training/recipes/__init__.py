"""Recipes: the TOML files of the shipped models, and how a recipe is read and checked."""

from restore_rt.training.recipes.recipe import (
    Adversary,
    Cache,
    Data,
    LetteringData,
    ModelInfo,
    Network,
    Optim,
    Perceptual,
    Recipe,
    RecipeError,
    Sharpen,
    Variant,
    load_recipe,
    parse_recipe,
)

__all__ = [
    "Adversary",
    "Cache",
    "Data",
    "LetteringData",
    "ModelInfo",
    "Network",
    "Optim",
    "Perceptual",
    "Recipe",
    "RecipeError",
    "Sharpen",
    "Variant",
    "load_recipe",
    "parse_recipe",
]
