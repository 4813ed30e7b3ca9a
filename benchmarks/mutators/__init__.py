"""Ways to spoil the suite and what is around it, each declared once and played by `benchmarks/suite_mutants.py`."""
