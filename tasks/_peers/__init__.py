"""Scripts that run the same network and the same input in another simulator, each in that simulator's own environment.

`python brian2_shiu.py in.npz out.npz cython|cpp_standalone`, `python nest_lif.py in.npz out.npz`. They import nothing
of Bestiary. See bestiary.tasks._bench_engine.
"""
