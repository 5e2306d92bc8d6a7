"""A bundle with its bytecode, where any is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from poetry_lambda_plugin.bytecode.placing import BytecodeSettings
from poetry_lambda_plugin.bytecode.placing import compilation
from poetry_lambda_plugin.bytecode.placing import with_bytecode
from poetry_lambda_plugin.layout.filters import PathFilter


if TYPE_CHECKING:
    from poetry_lambda_plugin.bytecode.compiling import Bytecode
    from poetry_lambda_plugin.bytecode.compiling import Compiler
    from poetry_lambda_plugin.bytecode.placing import Compilation
    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.stages.planned import Planned
    from poetry_lambda_plugin.stages.selected import Selected


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiled:
    """A bundle of which every byte is decided."""

    planned: Planned
    plan: BundlePlan
    """With the bytecode."""
    bytecode: Bytecode | None
    """None where none was asked for."""

    @property
    def selected(self) -> Selected:
        """What was decided before it was planned."""
        return self.planned.selected


def compiled(planned: Planned, compiler: Compiler) -> Compiled:
    """Add bytecode to a bundle, compiled where need be."""
    wanted = _wanted(planned)
    return _with(planned, wanted, compiler.compiled(wanted) if wanted else None)


def compiled_before(planned: Planned, compiler: Compiler) -> Compiled | None:
    """Add bytecode to a bundle; None where some would have to be compiled."""
    wanted = _wanted(planned)
    bytecode = compiler.at_hand(wanted) if wanted else None
    return None if wanted and not bytecode else _with(planned, wanted, bytecode)


def _wanted(planned: Planned) -> Compilation | None:
    config, runtime = planned.selected.config, planned.selected.target.runtime
    if config.bytecode is None:
        return None
    exclude = PathFilter(config.bytecode_exclude)
    settings = BytecodeSettings(mode=config.bytecode, exclude=exclude, optimize=config.optimize)
    return compilation(planned.plan, settings, runtime.python)


def _with(planned: Planned, wanted: Compilation | None, bytecode: Bytecode | None) -> Compiled:
    plan = planned.plan
    if wanted is not None and bytecode is not None:
        plan = with_bytecode(plan, wanted.sources, bytecode.members)
    return Compiled(planned=planned, plan=plan, bytecode=bytecode)
