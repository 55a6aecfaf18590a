"""The verbs of runbooks: their documents and executions, runners on other machines, and secrets."""

from __future__ import annotations

from midwatch.cli import arguments
from midwatch.cli.verb import Verb

RUNBOOK_VERBS: tuple[Verb, ...] = (
    Verb("runbook list", "midwatch.cli.runbooks:list_runbooks", "list runbooks", arguments.runbook_list),
    Verb("runbook show", "midwatch.cli.runbooks:show_runbook", "print a runbook's text", arguments.runbook_name),
    Verb(
        "runbook start",
        "midwatch.cli.runbooks:start",
        "carry a runbook out; prints what is wanted next",
        arguments.runbook_start,
        "midwatch runbook start restart-checkout -o host=web-1 --incident 12",
        acts=True,
    ),
    Verb(
        "runbook execution",
        "midwatch.cli.runbooks:show_execution",
        "show an execution: its steps, and what waits to be done",
        arguments.execution_number,
    ),
    Verb(
        "runbook answer",
        "midwatch.cli.runbooks:answer",
        "say that a step is done, failed or skipped; run it, approve it",
        arguments.execution_answer,
        'midwatch runbook answer 7 look done --seen "errors of web-1 alone"',
        acts=True,
    ),
    Verb("runbook cancel", "midwatch.cli.runbooks:cancel", "stop an execution", arguments.execution_cancel, acts=True),
    Verb(
        "import runbooks",
        "midwatch.cli.runbooks:import_folder",
        "make runbooks of a folder of Markdown",
        arguments.import_folder,
        "midwatch import runbooks docs/runbooks --team payments --apply",
        acts=True,
    ),
    Verb(
        "runner",
        "midwatch.runner.process:main",
        "do steps of runbooks on this machine, asking a server for them",
        arguments.runner,
        "midwatch runner --url https://midwatch.example.com --token-file /etc/midwatch-runner.token",
        needs="nothing",
        prints=False,
        is_short=False,
    ),
    Verb(
        "runner create",
        "midwatch.cli.runners:create",
        "make a runner; its token is shown once",
        arguments.runner_create,
        "midwatch runner create build-1 --tags linux,eu --team payments",
        acts=True,
    ),
    Verb(
        "runner list", "midwatch.cli.runners:list_runners", "list runners and when each was last seen", arguments.none
    ),
    Verb(
        "runner token", "midwatch.cli.runners:token", "a new token; the old one ends", arguments.runner_name, acts=True
    ),
    Verb("runner off", "midwatch.cli.runners:turn_off", "turn a runner off", arguments.runner_name, acts=True),
    Verb("runner remove", "midwatch.cli.runners:remove", "remove a runner", arguments.runner_name, acts=True),
    Verb(
        "secret set",
        "midwatch.cli.secrets:set_value",
        "set a secret; its value comes on standard input or from a file",
        arguments.secret_set,
        "midwatch secret set orders-db-password --team payments < password.txt",
        acts=True,
    ),
    Verb(
        "secret list",
        "midwatch.cli.secrets:list_secrets",
        "list secrets, where their values are, and which cannot be read; never a value",
        arguments.none,
        acts=True,
    ),
    Verb(
        "secret rotate",
        "midwatch.cli.secrets:rotate",
        "encrypt all secrets anew with the present MIDWATCH_SECRET_KEY",
        arguments.none,
        acts=True,
    ),
    Verb("secret remove", "midwatch.cli.secrets:remove", "remove a secret", arguments.secret_name, acts=True),
)
