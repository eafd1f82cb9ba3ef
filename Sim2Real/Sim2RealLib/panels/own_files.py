"""Which module a recipe or dataset is for, said where it was given to another one."""

from typing import Any, get_args

from slicer.i18n import tr as _

from ..errors import Sim2RealError

RECIPES = {
    "drr": _("{source}: this is an X-ray recipe: load it in DRRSim."),
    "endoscopy": _("{source}: this is an endoscopy recipe: load it in DepthSim."),
}
DATASETS = {
    "drr": _("{source}: this is a dataset of X-rays: open it in DRRSim."),
    "endoscopy": _("{source}: this is a dataset of endoscopy: open it in DepthSim."),
}
"""What is said, by the name of the simulator."""


def require_own(recipe: type, simulator: Any, source: str, others: dict[str, str]) -> None:
    """Sim2RealError where a simulator, as a file of a stranger names it, is another one of ours than that of a recipe's
    model; others: `RECIPES` or `DATASETS`."""
    own = get_args(recipe.model_fields["simulator"].annotation)
    if isinstance(simulator, str) and simulator in others and simulator not in own:
        raise Sim2RealError(others[simulator].format(source=source))
