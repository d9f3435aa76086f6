"""The Gymnasium ids: one line an environment. A new animal adds its lines here and nothing else."""

from __future__ import annotations

from typing import Any

IDS: dict[str, dict[str, Any]] = {
    "bestiary/WormCrawl-v0": {"animal": "worm", "task": "locomotion", "medium": "agar"},
    "bestiary/WormSwim-v0": {"animal": "worm", "task": "locomotion", "medium": "water"},
    "bestiary/WormTouch-v0": {"animal": "worm", "task": "touch", "medium": "agar"},
    "bestiary/WormChemotaxis-v0": {"animal": "worm", "task": "chemotaxis", "medium": "agar"},
    "bestiary/FlyWalk-v0": {"animal": "fly", "task": "locomotion", "medium": "air"},
    "bestiary/FlyTurn-v0": {"animal": "fly", "task": "turn", "medium": "air"},
    "bestiary/FlyTerrain-v0": {"animal": "fly", "task": "terrain", "medium": "air"},
    "bestiary/FlyOdour-v0": {"animal": "fly", "task": "odour", "medium": "air"},
    "bestiary/FlyFeed-v0": {"animal": "fly", "task": "feed", "medium": "air"},
    "bestiary/FlyGroom-v0": {"animal": "fly", "task": "groom", "medium": "air"},
    "bestiary/FlyLoom-v0": {"animal": "fly", "task": "loom", "medium": "air"},
    "bestiary/FlyOptomotor-v0": {"animal": "fly", "task": "optomotor", "medium": "air"},
    "bestiary/FlyCompass-v0": {"animal": "fly", "task": "compass", "medium": "air"},
    "bestiary/FlyFlight-v0": {
        "animal": "fly",
        "task": "flight",
        "medium": "air",
        "clock": {"control": "0.0002", "brain": "0.0002", "physics": "0.00005"},  # of the wings
    },
}


def register() -> None:
    """Makes every id known to Gymnasium; a second call changes nothing."""
    import gymnasium

    for name, arguments in IDS.items():
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point="bestiary.envs:EmbodiedEnv", kwargs=arguments)
