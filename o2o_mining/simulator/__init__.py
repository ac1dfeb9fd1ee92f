"""What would our estimates say of a world whose truth is known?

Writes the canonical feeds of a made-up world and, under ``truth/``, the hidden states and both potential outcomes
behind them. For the evaluation it reads the published tables and that truth.
``docs/decisions/0005-the-simulated-world.md`` is the model in formulas.
"""

from o2o_mining.simulator.evaluation import evaluate
from o2o_mining.simulator.world import World, scenario_names
from o2o_mining.simulator.writing import write

__all__ = ["World", "evaluate", "scenario_names", "write"]
