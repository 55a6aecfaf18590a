"""Django's migrations, at a fraction of their time: 2 s of CPU instead of 9 for an empty database with 130 tables.

Nearly all of it went into drawing the models anew between two steps. Django draws, for each new model and each new index,
every model that leads to it or away from it, directly or by others; in a house where everything leads to people that is
all of them. Nothing of that is needed while tables are made: a new model points at classes that exist, and an index
concerns its own table. What a Python step of a migration gets to see is drawn in full all the same, since Django does that
for whatever it calls delayed. `tests/core/test_migrating.py` compares the tables of both ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import call_command
from django.db.migrations.state import ProjectState


def migrate() -> None:
    """Everything that is pending."""
    with few_drawn():
        call_command("migrate", interactive=False, verbosity=0, skip_checks=True)


@contextmanager
def few_drawn() -> Iterator[None]:
    drawing: Any = ProjectState  # two of its methods are replaced meanwhile; one of them is Django's own affair
    add_model, find = drawing.add_model, drawing._find_reload_model

    def add_alone(state: Any, model_state: Any) -> None:
        key = model_state.app_label, model_state.name_lower
        state.models[key] = model_state
        if state._relations is not None:
            state.resolve_model_relations(key)
        if "apps" in vars(state):
            state.apps.render_multiple([model_state])

    def itself(state: Any, app_label: str, model_name: str, delay: bool = False) -> Any:
        if not delay:
            return find(state, app_label, model_name, delay)
        state.is_delayed = True
        return {(app_label, model_name)}

    drawing.add_model = add_alone
    drawing._find_reload_model = itself
    try:
        yield
    finally:
        drawing.add_model = add_model
        drawing._find_reload_model = find
