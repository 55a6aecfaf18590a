"""A runbook by the real executors, from its text to what they did: a value stays a value the whole way."""

from __future__ import annotations

from fakes.server import FakeServer
from midwatch.core import net
from midwatch.core.actor import Actor
from midwatch.people.queries import actor_of
from midwatch.prepare.runbooks import actions
from midwatch.prepare.runbooks.models import LogChunk, StepRun
from stories.story import Story

CLI = Actor("apply", "cli")
HOSTILE = 'db\'; echo injected; \' ${TOKEN} $(id) ", "admin": true, "x": "'

BOOK = """---
options:
  - {name: host, required: true}
---
```sh {"name": "look", "kind": "auto", "executor": "local", "captures": {"version": "version:"}}
echo "version: 7"
printf '%s' "$OPTION_HOST"
```

```http {"name": "tell", "kind": "auto", "executor": "http", "expect": "200"}
POST URL/tell?v=${value.version}&host=${option.host}
Content-Type: application/json

{"host": "${option.host}"}
```
"""


def test_a_script_and_a_request(story: Story) -> None:
    story.phones("ana")
    story.team("payments", "ana")
    ana = story.people["ana"].user
    with FakeServer() as server, net.installed(net.RealTransport()):
        made = actions.save_runbook("real", actions.RunbookFields(team=ana.memberships.get().team, title="Real"), CLI)
        actions.revise(made, BOOK.replace("URL", server.url), CLI, is_trusted=True)
        made.refresh_from_db()
        execution = actions.start(made, {"host": HOSTILE}, actor_of(ana, "web"))
        story.settle()
        steps = {row.step: row for row in StepRun.objects.filter(execution=execution)}
        assert {name: row.state for name, row in steps.items()} == {"look": "ok", "tell": "ok"}, [
            row.sentence for row in steps.values()
        ]
        (request,) = server.requests
    said = "".join(LogChunk.objects.filter(step_run=steps["look"], stream="stdout").values_list("text", flat=True))
    assert said == f"version: 7\n{HOSTILE}"
    assert request.json == {"host": HOSTILE}
    assert request.query.startswith("v=7&host=db%27%3B%20echo")
