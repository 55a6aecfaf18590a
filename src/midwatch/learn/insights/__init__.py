"""Insights: is it getting better, and what costs us sleep? Continuous improvement, with its definitions.

Comes after action items; reads everything before it and writes nothing.
"""
