"""The training stage: networks, data, degradations, losses, recipes, the trainer. Needs torch."""

if __name__ != "restore_rt.training":
    raise ImportError(
        f"training was imported as {__name__!r}; import it as 'restore_rt.training' "
        "(pip install -e '.[train]'), so that only one copy of it is loaded"
    )

from restore_rt.training.recipes import Recipe, RecipeError, load_recipe

__all__ = ["Recipe", "RecipeError", "load_recipe"]
