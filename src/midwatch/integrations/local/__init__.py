"""Local: a step's script on Midwatch's own machine, behind walls.

Comes after `core.programs`, which starts programs; comes before executions of runbooks, which find it by its folder.
"""
