"""The editor's form. It works without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from midwatch.core.text import NAME_HELP, NAME_MAX, slug
from midwatch.people.models import Team
from midwatch.prepare.runbooks.models.documents import BODY_MAX

START = """---
title: Restart the checkout
service: checkout
options:
  - {name: host, default: app1}
---

When the connections of the pool are used up, restarting one instance helps for about an hour.

## Look first

```sh {"name": "look", "kind": "manual", "title": "Look at the dashboard"}
Is the pool used up on one host, or on all? On all: stop here and page the database's team.
```

## Restart one

```sh {"name": "restart", "kind": "copy", "title": "Restart it"}
ssh ${option.host} sudo systemctl restart checkout
```
"""


class RunbookForm(forms.Form):
    """`teams`: those whose runbooks this person may write. `is_new`: it gets a name."""

    name = forms.SlugField(label=_("Name"), max_length=NAME_MAX, required=False, help_text=NAME_HELP)
    team = forms.ChoiceField(label=_("Team"), help_text=_("Who keeps it true, and who may change it."))
    body = forms.CharField(
        label=_("Text"),
        max_length=BODY_MAX,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false"}),
    )
    note = forms.CharField(label=_("What changed?"), required=False, max_length=500)
    is_active = forms.BooleanField(label=_("In use"), required=False)

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        teams: Sequence[Team],
        is_new: bool,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data, initial=dict(initial or {}))
        team = self.fields["team"]
        assert isinstance(team, forms.ChoiceField)
        team.choices = [(one.name, str(one)) for one in teams]
        self._teams = {one.name: one for one in teams}
        self.is_new = is_new
        if not is_new:
            del self.fields["name"]

    def clean_body(self) -> str:
        """Browsers send lines as on a typewriter."""
        return str(self.cleaned_data["body"]).replace("\r\n", "\n")

    @property
    def team_given(self) -> Team:
        return self._teams[self.cleaned_data["team"]]

    def name_for(self, title: str) -> str:
        """As given, or made of the title."""
        return self.cleaned_data["name"] or slug(title)
