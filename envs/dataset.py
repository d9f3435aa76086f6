"""Episodes as a Minari dataset (offline reinforcement learning, imitation): needs the extra `minari`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium

import bestiary
from bestiary.errors import BestiaryError, DataError


def _minari() -> Any:
    try:
        import minari
    except ImportError:
        raise DataError("a Minari dataset needs minari: pip install 'bestiary[minari]'") from None
    return minari


@contextlib.contextmanager
def _stored_in(folder: str | Path | None) -> Iterator[None]:
    """Minari looks for datasets below this folder; None: where it does by itself (MINARI_DATASETS_PATH)."""
    name = "MINARI_DATASETS_PATH"
    before = os.environ.get(name)
    if folder is not None:
        os.environ[name] = str(folder)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def write_dataset(
    name: str,
    env_id: str,
    policy: Any,
    *,
    episodes: int = 1,
    seed: int = 0,
    folder: str | Path | None = None,
    policy_name: str | None = None,
    **env_options: Any,
) -> Any:
    """Runs `policy` (`reset(episode_seed)`, `act(obs)`) and writes what it saw and did as the Minari dataset `name`.

    name: "bestiary/worm-crawl/cook2019-v0". env_id: one of ours; env_options: further arguments of `gymnasium.make`.
    Episode k has seed `seed + k`; the seeds, and the environment with its options, are kept in the dataset:
    `dataset.recover_environment()` makes it again. folder: for datasets, None for Minari's own. Returns the
    `minari.MinariDataset`.

    Raises BestiaryError for a name that is taken or that Minari cannot read, DataError where Minari is not installed.
    """
    minari = _minari()
    from minari.dataset.minari_dataset import parse_dataset_id

    if episodes < 1:
        raise BestiaryError(f"a dataset needs one episode or more, got {episodes}")
    try:
        parse_dataset_id(name)  # before any episode is lost
    except ValueError as error:
        raise BestiaryError(f"Minari refuses the dataset {name!r}: {error}") from error
    with _stored_in(folder):
        try:
            if name in minari.list_local_datasets():
                raise BestiaryError(f"the dataset {name!r} is there already: give another version, -v1")
        except FileNotFoundError:
            pass
        env = minari.DataCollector(gymnasium.make(env_id, disable_env_checker=True, **env_options))
        try:
            for k in range(episodes):
                obs, info = env.reset(seed=seed + k)
                policy.reset(info["episode_seed"])
                over = False
                while not over:
                    obs, _, terminated, truncated, _ = env.step(policy.act(obs))
                    over = terminated or truncated
            return env.create_dataset(
                dataset_id=name,
                algorithm_name=policy_name or repr(policy),
                description=f"bestiary {bestiary.__version__}: {policy!r} in {env_id}, seeds {seed} to "
                f"{seed + episodes - 1}",
                requirements=[f"bestiary=={bestiary.__version__}"],
            )
        except (ValueError, AssertionError) as error:
            raise BestiaryError(f"Minari refuses the dataset {name!r}: {error}") from error
        finally:
            env.close()


def read_dataset(name: str, folder: str | Path | None = None) -> Any:
    """The Minari dataset `name`. Raises DataError where it is missing or damaged."""
    minari = _minari()
    with _stored_in(folder):
        try:
            return minari.load_dataset(name)
        except Exception as error:  # whatever Minari and HDF5 make of it
            raise DataError(f"no Minari dataset {name!r} can be read: {error}") from error
