"""Plan and apply: one transaction, all or nothing. A plan is an apply that is rehearsed: they cannot disagree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.db.models import ProtectedError

from midwatch.core import audit, clock
from midwatch.core.actor import Actor
from midwatch.core.rehearsal import rehearsal
from midwatch.core.written.documents import Documents, read_directory, read_text
from midwatch.core.written.problems import ConfigurationError
from midwatch.gitops import effects, pruning, references
from midwatch.gitops.current import State, read_state
from midwatch.gitops.models import Applied
from midwatch.gitops.plan import ORDER, Change, Gone, Plan, created, differences, updated
from midwatch.gitops.schema import Parsed, read
from midwatch.gitops.schema.runbooks import MARKDOWN, from_markdown, verbatim
from midwatch.gitops.writing import Writer
from midwatch.people import actions as people
from midwatch.people.managed import Mark, check_name
from midwatch.people.models import ContactMethod, Managed, User
from midwatch.respond.alerts.actions import sources
from midwatch.respond.alerts.models import Source
from midwatch.respond.escalation.coverage import sole_target_of

OWNER = "config"
CODE = Actor("Configuration as code", "code")


def plan(directory: Path, owner: str = OWNER, *, prune: bool = False) -> Plan:
    """What `apply` would do, and what it means. Writes nothing. Raises `ConfigurationError` with all problems."""
    return _run(_read(directory), owner, CODE, prune=prune, is_rehearsal=True)


def apply(directory: Path, owner: str = OWNER, *, prune: bool = False, by: Actor = CODE) -> Plan:
    """Make the database agree with the directory. Raises `ConfigurationError`, and then nothing has changed.

    Only what this owner applied before is touched, and what nobody owns (made in the web) when a document names it.
    """
    return _run(_read(directory), owner, by, prune=prune)


def plan_text(text: str, owner: str = OWNER, *, prune: bool = False) -> Plan:
    return _run(read_text(text), owner, CODE, prune=prune, is_rehearsal=True)


def apply_text(text: str, owner: str = OWNER, by: Actor = CODE, *, prune: bool = False, file: str = "text") -> Plan:
    """The same from one text, for importers and the set-up wizard."""
    return _run(read_text(text, file=file), owner, by, prune=prune)


def _read(directory: Path) -> Documents:
    """YAML, and Markdown files with front matter, which are runbooks."""
    return read_directory(directory, dict.fromkeys(MARKDOWN, from_markdown))


def _run(found: Documents, owner: str, by: Actor, *, prune: bool, is_rehearsal: bool = False) -> Plan:
    check_name(owner)
    parsed, reading = read(found)
    with rehearsal() if is_rehearsal else transaction.atomic():
        Applied.objects.get_or_create(owner=owner)
        Applied.objects.select_for_update().get(owner=owner)  # one run of an owner at a time
        state = read_state()
        references.check(parsed, state, owner, reading)
        if reading.problems:
            raise ConfigurationError(reading.problems)
        run = _Run(found, owner, by, parsed, state)
        run.change(clock.now(), prune=prune)
        if not is_rehearsal:
            run.note()
            run.plan.is_applied = True
    return run.plan


class _Run:
    """One run inside its transaction."""

    def __init__(self, found: Documents, owner: str, by: Actor, parsed: Sequence[Parsed], state: State) -> None:
        self.plan = Plan()
        self._found = found
        self._owner = owner
        self._by = by
        self._parsed = [one for kind in ORDER for one in parsed if one.kind == kind]
        self._state = state
        texts = {one.name: verbatim(one.value) for one in parsed if one.kind == "Runbook"}
        self._writer = Writer(
            by, found.directory, {key: current.found for key, current in state.items()}, verbatim=texts
        )
        self._changed: dict[tuple[str, str], list[str]] = {}

    def change(self, now: datetime, *, prune: bool) -> None:
        before = effects.on_call_now(now)
        for one in self._parsed:
            self._compare(one)
        self._free_keys()
        for one in self._parsed:
            names = self._changed.get((one.kind, one.name))
            if names:
                with _placed(one):
                    self._writer.write(one.kind, one.name, one.spec, names, self._mark(one))
        for one in self._parsed:
            with _placed(one):
                names = self._changed.get((one.kind, one.name), [])
                self._writer.bind(one.kind, one.name, one.spec, names, self._mark(one))
        self._writer.write_dependencies()
        self._take_over()
        self._turn_off()
        self._prune(prune=prune)
        if self.plan.changes:
            self.plan.effects.extend(effects.of_shifts(before, effects.on_call_now(now)))
            self.plan.effects.extend(effects.of_policies(self.plan.changes))
        self.plan.effects.extend(effects.of_secrets(self._parsed))

    def note(self) -> None:
        """What was applied, for the doctor and the next start."""
        Applied.objects.filter(owner=self._owner).update(
            applied_at=clock.now(),
            directory=str(self._found.root.absolute())[:1_000] if self._found.root else "",
            digest=self._found.digest,
            problem="",
            problem_at=None,
        )
        if self.plan.changes:
            counts = [f"{change.action} {change.kind}/{change.name}" for change in self.plan.changes]
            audit.record(self._by, "apply", "configuration", self._owner, {"changes": counts[:200]})

    def _mark(self, one: Parsed) -> Mark:
        file, root = Path(one.place.document.file), self._found.root
        shown = file.relative_to(root) if root is not None and file.is_relative_to(root) else file
        return Mark(self._owner, f"{shown}:{one.place.line}")

    def _compare(self, one: Parsed) -> None:
        current = self._state.get((one.kind, one.name))
        if current is None:
            self._changed[one.kind, one.name] = list(one.spec)
            self.plan.changes.append(created(one.kind, one.name, one.spec))
            if one.kind == "Source" and one.spec["key"] is None:
                self.plan.effects.append(f"a key is made for Source/{one.name}: its page shows it")
            return
        names = differences(one.spec, current.spec, current.from_code)
        if names:
            self._changed[one.kind, one.name] = names
            self.plan.changes.append(updated(one.kind, one.name, one.spec, current.spec, names))

    def _free_keys(self) -> None:
        """Sources may exchange keys: whoever has a key that another one shall have lets go of it first."""
        holders: dict[str, str] = {}
        for (kind, name), current in self._state.items():
            if kind == "Source":
                holders |= {key: name for key in (current.spec["key"], current.spec["previousKey"]) if key}
        for one in self._parsed:
            if one.kind != "Source":
                continue
            for key in (one.spec["key"], one.spec["previousKey"]):
                holder = holders.get(key or "", one.name)
                if holder != one.name:
                    found = self._state["Source", holder].found
                    if isinstance(found, Source):
                        sources.set_keys(found, sources.new_key(), self._by, mark=Mark(self._owner, ""))

    def _take_over(self) -> None:
        """Mark what the documents name as theirs: a line that moved or an owner that is new changes nothing else."""
        stale: dict[type[Managed], list[Managed]] = {}
        for one in self._parsed:
            found, mark = self._writer.objects[one.kind, one.name], self._mark(one)
            label = f"{one.kind}/{one.name}"
            if not found.code_owner:
                self.plan.effects.append(f"{label} is read-only in the web from now on: it is in {mark.file}")
            elif found.code_owner != mark.owner:
                self.plan.effects.append(f"{label} belongs to {mark.owner} from now on, no more to {found.code_owner}")
            if (found.code_owner, found.code_file) != (mark.owner, mark.file[:300]):
                found.code_owner, found.code_file = mark.owner, mark.file[:300]
                stale.setdefault(type(found), []).append(found)
            if isinstance(found, User):
                self._take_over_own(one, found)
        for model, objects in stale.items():
            model._default_manager.bulk_update(objects, ["code_owner", "code_file"], batch_size=100)
        if self._found.directory is not None:
            users = [found for found in self._writer.objects.values() if isinstance(found, User)]
            referring = ContactMethod.objects.filter(user__in=users, is_from_code=True, user__code_owner=self._owner)
            directory = str(self._found.directory)
            referring.exclude(secret_directory__in=["", directory]).update(secret_directory=directory)

    def _take_over_own(self, one: Parsed, user: User) -> None:
        """Methods and rules that a document gives are its own, also when they are what the person had chosen."""
        if one.spec["contactMethods"] is not None and not user.are_contacts_from_code:
            with _placed(one):
                self._writer.write_contacts(user, one.spec["contactMethods"])
        if one.spec["notificationRules"] is not None and not user.are_rules_from_code:
            with _placed(one):
                self._writer.write_rules(user, one.spec["notificationRules"])

    def _turn_off(self) -> None:
        """Last, when schedules and policies are as they will be: who then is missed, is told to the teams."""
        for user, mark in self._writer.turned_off:
            needed_by = sole_target_of(user)
            people.deactivate_user(user, self._by, needed_by=needed_by, is_forced=True, mark=mark)
            missed = f", and is the only one paged by {'; '.join(needed_by[:5])}" if needed_by else ""
            self.plan.effects.append(f"{user} is turned off: log-ins and tokens end{missed}")

    def _prune(self, *, prune: bool) -> None:
        given = {(one.kind, one.name) for one in self._parsed}
        gone = [
            (kind, name, current.found)
            for kind in reversed(ORDER)
            for (of, name), current in sorted(self._state.items(), key=lambda item: item[0])
            if of == kind and (kind, name) not in given and current.found.code_owner == self._owner
        ]
        if not prune:
            self.plan.gone = [Gone(kind, name) for kind, name, _ in gone]
            for _, _, found in gone:
                if found.code_file:  # it stands in no file any more: another owner may have it
                    type(found)._default_manager.filter(pk=found.pk).update(code_file="")
            return
        teams = [found.pk for kind, _, found in gone if kind == "Team"]
        reasons: dict[tuple[str, str], str] = {}
        while True:  # services may need each other: again until nothing more can go
            before = len(gone)
            left = []
            for kind, name, found in gone:
                reasons[kind, name] = self._delete(kind, name, found, teams)
                if reasons[kind, name]:
                    left.append((kind, name, found))
            gone = left
            if not gone or len(gone) == before:
                break
        self.plan.gone = [Gone(kind, name, reasons[kind, name]) for kind, name, _ in gone]

    def _delete(self, kind: str, name: str, found: Managed, teams: Sequence[int]) -> str:
        """ "" when it is gone, else why it is kept."""
        why = pruning.why_kept(found, teams)
        if why:
            return why
        try:
            with transaction.atomic():
                effect = pruning.delete(found, self._by, Mark(self._owner, found.code_file))
        except ProtectedError:
            return "kept: something still refers to it"
        self.plan.changes.append(Change("delete", kind, name))
        if effect:
            self.plan.effects.append(effect)
        return ""


@contextmanager
def _placed(one: Parsed) -> Iterator[None]:
    """What an action refuses is a problem of its document."""
    try:
        yield
    except ValueError as error:
        raise ConfigurationError([one.place.problem(str(error))]) from error
