"""The Gymnasium ids: one line an environment. A new animal adds its lines here and nothing else."""

from __future__ import annotations

from typing import Any

_GRATING = {"where": "ground", "period_L": 2.0, "temporal_Hz": 1.25}  # 8 mm that move at 10 mm/s
_WHEEL = {"head_fixed": True, "belt_m_per_s": None}
_DISC = {"lv_s": 0.2, "end_deg": 120.0, "elevation_deg": 20.0}

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
    "bestiary/MouseOpenField-v0": {"animal": "mouse", "task": "open_field"},
    "bestiary/MouseBeam-v0": {"animal": "mouse", "task": "beam"},
    "bestiary/MouseWhisker-v0": {"animal": "mouse", "task": "whisker"},
    "bestiary/MouseLabyrinth-v0": {"animal": "mouse", "task": "labyrinth"},
    "bestiary/MouseTMaze-v0": {"animal": "mouse", "task": "tmaze"},
    "bestiary/MouseLoom-v0": {"animal": "mouse", "task": "overhead"},
    "bestiary/MouseGratings-v0": {"animal": "mouse", "task": "gratings"},
    "bestiary/MouseTreadmill-v0": {"animal": "mouse", "task": "treadmill"},
    "bestiary/MouseTreadmillFixed-v0": {"animal": "mouse", "task": "treadmill", "task_options": _WHEEL},
    "bestiary/ZebrafishFree-v0": {"animal": "zebrafish", "task": "locomotion"},
    "bestiary/ZebrafishOMR-v0": {"animal": "zebrafish", "task": "optomotor", "task_options": _GRATING},
    "bestiary/ZebrafishFlow-v0": {"animal": "zebrafish", "task": "flow"},
    "bestiary/ZebrafishPhototaxis-v0": {"animal": "zebrafish", "task": "phototaxis"},
    "bestiary/ZebrafishHunt-v0": {"animal": "zebrafish", "task": "hunt"},
    "bestiary/ZebrafishStartle-v0": {"animal": "zebrafish", "task": "startle"},
    "bestiary/ZebrafishLoom-v0": {"animal": "zebrafish", "task": "loom", "task_options": _DISC},
    "bestiary/ZebrafishDots-v0": {"animal": "zebrafish", "task": "dots"},
}
for _name in ("OMR", "Hunt", "Startle", "Loom", "Dots", "Phototaxis"):  # the head held, the tail free
    _free = IDS[f"bestiary/Zebrafish{_name}-v0"]
    IDS[f"bestiary/Zebrafish{_name}Fixed-v0"] = {**_free, "body_options": {"head_fixed": True}}


def register() -> None:
    """Makes every id known to Gymnasium; a second call changes nothing."""
    import gymnasium

    for name, arguments in IDS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                name,
                entry_point="bestiary.envs:EmbodiedEnv",
                vector_entry_point="bestiary.envs:EmbodiedVectorEnv",
                kwargs=arguments,
            )
