"""What `poetry install` would install, asked of Poetry's own installer for a target."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from typing import Any
from typing import cast

from cleo.io.null_io import NullIO
from poetry.config.config import Config
from poetry.installation.executor import Executor
from poetry.installation.installer import Installer
from poetry.repositories.installed_repository import InstalledRepository
from poetry.utils.env import NullEnv


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence

    from packaging.tags import Tag
    from poetry.core.packages.package import Package
    from poetry.installation.operations.operation import Operation
    from poetry.packages.locker import Locker
    from poetry.poetry import Poetry

    from poetry_lambda_plugin.runtime.platform import Target


class TargetEnv(NullEnv):
    """The environment of a Lambda function; MockEnv would let the host's values through."""

    def __init__(self, target: Target) -> None:
        self._target = target
        super().__init__()

    def get_marker_env(self) -> Any:
        """Answer every marker for the target; also what Poetry adds to PEP 508."""
        runtime = self._target.runtime
        return {
            **self._target.marker_environment,
            "version_info": (*runtime.python, runtime.newest_micro, "final", 0),
            "interpreter_name": "cp",
            "interpreter_version": "".join(map(str, runtime.python)),
            "sysconfig_platform": f"linux-{self._target.marker_environment['platform_machine']}",
            "free_threading": False,
        }

    def get_supported_tags(self) -> list[Tag]:
        """Return the target's wheel tags."""
        return list(self._target.supported_tags)


class LockedConfig(Config):
    """The user's configuration, but a lock that says all by itself is not resolved again.

    Up to 2.2 Poetry does so by default; the variable POETRY_INSTALLER_RE_RESOLVE asks for it in all releases.
    """

    @classmethod
    def of(cls, config: Config) -> LockedConfig:
        """Look at a configuration without changing it."""
        view = cls.__new__(cls)
        view.__dict__.update(config.__dict__)
        return view

    def get(self, setting_name: Any, default: Any = None) -> Any:
        """Return a setting."""
        return False if setting_name == "installer.re-resolve" else super().get(setting_name, default)


class SharedLocker:
    """Poetry's locker, which makes its packages once for all bundles of a run.

    Poetry's resolver, which locks before 2.1 need, may change packages: those are made anew each time.
    """

    def __init__(self, locker: Locker) -> None:
        self._locker = locker
        self.is_fresh = cache(locker.is_fresh)
        if locker.is_locked_groups_and_markers():
            self.locked_repository = cache(locker.locked_repository)
            self.locked_packages = cache(locker.locked_packages)

    def __getattr__(self, name: str) -> Any:
        """Leave everything else to the locker."""
        return getattr(self._locker, name)


class RecordingExecutor(Executor):
    """Takes down what would be installed, and installs nothing."""

    def __init__(self) -> None:
        # Executor's own __init__ starts a session, a thread pool and an installer, none of them needed
        self._enabled = True
        self.operations: list[Operation] = []

    def execute(self, operations: list[Operation]) -> int:
        """Keep the operations."""
        self.operations = operations
        return 0


def packages_to_install(
    poetry: Poetry, locker: Locker, target: Target, groups: Iterable[str], extras: Sequence[str]
) -> list[Package]:
    """Return what `poetry install` would install for a target into an empty environment.

    `groups` are names as this Poetry has them. Offline: the lock alone is asked. Raises what Installer.run
    raises.
    """
    executor = RecordingExecutor()
    installer = Installer(
        NullIO(),
        TargetEnv(target),
        poetry.package,
        locker,
        poetry.pool,
        LockedConfig.of(poetry.config),
        installed=InstalledRepository(),
        executor=executor,
    )
    installer.only_groups(cast("Any", groups))
    installer.extras(list(extras))
    installer.run()
    return [op.package for op in executor.operations if op.job_type == "install" and not op.skipped]
