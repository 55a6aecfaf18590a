"""A step's rung is one word in its line: it is changed, and nothing else is."""

from __future__ import annotations

import pytest

from midwatch.prepare.runbooks.climbing import ClimbingError, with_kind

TEXT = """---
title: Restart
---
Some "kind": "run" in the prose.

```sh {"name": "drain", "kind": "copy", "executor": "local"}
echo '"kind": "copy"'
```

```sh { name=restart kind=run interactive=false }
systemctl restart x
```

```bash {"name": "look"}
uptime
```
"""


def test_only_the_steps_own_line_changes() -> None:
    found = with_kind(TEXT, "drain", "run")
    assert found == TEXT.replace('"name": "drain", "kind": "copy"', '"name": "drain", "kind": "run"')
    assert "name=restart kind=auto interactive" in with_kind(TEXT, "restart", "auto")
    assert '```bash {"kind": "copy", "name": "look"}' in with_kind(TEXT, "look", "copy")


def test_a_step_that_is_not_found_by_its_name_is_left_to_a_person() -> None:
    with pytest.raises(ClimbingError, match="by hand"):
        with_kind(TEXT, "nothing", "run")
    with pytest.raises(ClimbingError, match="by hand"):
        with_kind(TEXT + TEXT, "drain", "run")
