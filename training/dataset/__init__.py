"""Sets of pictures to train and test on: squares, reductions, splits and duplicates.

Split first and crop after: squares of one picture look unlike each other, so that nothing but
their names tells that they belong together.
"""

from restore_rt.training.dataset.crops import crop_pictures, detail, squares
from restore_rt.training.dataset.duplicates import Duplicate
from restore_rt.training.dataset.folders import find_tree
from restore_rt.training.dataset.reduction import reduce_pictures, reduced
from restore_rt.training.dataset.splitting import (
    SplitPlan,
    SplitRules,
    plan_split,
    write_split,
)

__all__ = [
    "Duplicate",
    "SplitPlan",
    "SplitRules",
    "crop_pictures",
    "detail",
    "find_tree",
    "plan_split",
    "reduce_pictures",
    "reduced",
    "squares",
    "write_split",
]
