"""The gate as a small service, for engines that poll: a run for each deploy, and one answer in every engine's terms.

It starts `streampay-smoke run` as a process of its own and reads `verdict.json`. It judges nothing itself.
"""
