"""Work over many machines: executors beside :class:`relume.executor.Local`.

Nothing below this room knows of Ray, and it is imported only when it is asked for.
"""

from __future__ import annotations

from relume.errors import ParameterError
from relume.executor import Executor

__all__ = ["connect"]


def connect(where: str, *, workers: int | None = None, shares_folder: bool = True) -> Executor:
    """The executor that ``where`` names: ``ray``, a Ray of this machine's cores, or ``ray://...``.

    ``workers`` is the number of actors, by default one for each core there is. With
    ``shares_folder`` they work in this process's folder, which all machines must then see. Nothing
    is started before the work.

    Raises:
        ParameterError: another name.
        MissingExtra: Ray is not installed.
    """
    if where != "ray" and not where.startswith("ray://"):
        raise ParameterError(f"expected local, ray or ray://HOST:PORT, got {where!r}")
    from relume.cluster.ray_data import RayExecutor

    return RayExecutor(None if where == "ray" else where, workers, shares_folder)
