"""Ansible: a step that is a playbook.

Comes after `core.programs`, which starts ansible-runner; comes before executions of runbooks, which find it by its folder.
"""
