"""The embodied Turing test: any policy in any body against recorded animals, with controls that must fail.

Levels: A structure, B dynamics, C perturbation, D behaviour, E learning, F robustness. `bestiary turing ANIMAL` runs
them; `examples/turing.py` takes a brain and a recording of your own through level D.

One statistic carries most tests: distances between animals, and whether those from model to animal differ from those
between animals (Feather et al. 2025, arXiv:2502.16238). Its margin is fixed beforehand (`margins.toml`), its verdict
comes from the 95 % bounds of a bootstrap over animals, and failing to reject is never a PASS.
"""
