"""Against an API server that keeps to the real one's behaviour."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from executor_world import SECRET, Does, Heard
from fakes.kubernetes import TOKEN, Kubernetes
from fakes.server import Reply
from midwatch.core.integration import Outcome, Task, runners
from midwatch.integrations.kubernetes import following, objects
from midwatch.integrations.kubernetes.logs import BYTES_MAX, Log

JOBS = "/apis/batch/v1/namespaces/shop/jobs"
FAILOVER = 'apiVersion: shop.example.com/v1\nkind: Failover\nspec: {to: "${OPTION_ZONE}"}\n'


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kubernetes]:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.02)
    with Kubernetes() as running:
        yield running


def step(does: Does, cluster: Kubernetes, body: str, **given: Any) -> tuple[Outcome, Heard]:
    settings = {"url": cluster.url, "namespace": "shop", **given.pop("settings", {})}
    secrets = {"KUBERNETES_TOKEN": TOKEN, **given.pop("secrets", {})}
    return does("kubernetes", body, settings=settings, secrets=secrets, **given)


def script(does: Does, cluster: Kubernetes, **given: Any) -> tuple[Outcome, Heard]:
    settings = {"image": "alpine:3", **given.pop("settings", {})}
    return step(does, cluster, "echo $OPTION_A $(date)", settings=settings, **given)


class Kubelet:
    """Runs the job a little more with every look at it."""

    def __init__(self, *states: Any, code: int = 0) -> None:
        self._states = list(states)
        self._code = code

    def __call__(self, cluster: Kubernetes, collection: str, job: dict[str, Any]) -> None:
        if not collection.endswith("jobs"):
            return
        plain = cluster.respond

        def respond(request: Any) -> Reply:
            if (
                request.method == "GET"
                and request.path == f"{collection}/{job['metadata']['name']}"
                and request.path in cluster.objects
            ):
                if self._states:
                    self._states.pop(0)(cluster, job)
                else:
                    cluster.finish(job, self._code, "Job has reached the specified backoff limit")
            return plain(request)

        cluster.respond = respond  # type: ignore[method-assign]


def says(*lines: tuple[str, str]) -> Any:
    def state(cluster: Kubernetes, job: dict[str, Any]) -> None:
        pod = cluster.pod(job, {"running": {"startedAt": "2026-01-01T00:00:00Z"}})
        cluster.logs[pod] += lines

    return state


def waits(reason: str) -> Any:
    return lambda cluster, job: cluster.pod(job, {"waiting": {"reason": reason, "message": "no such image"}})


def test_a_script_as_a_job(does: Does, cluster: Kubernetes) -> None:
    made: list[dict[str, Any]] = []
    kubelet = Kubelet(
        lambda cluster, job: None,  # asked for its uid
        waits("ImagePullBackOff"),
        says(("2026-01-01T00:00:01.1Z", "one"), ("2026-01-01T00:00:01.12Z", "version: 7")),
        says(("2026-01-01T00:00:01.12Z", f"again {SECRET}")),
        says(("2026-01-01T00:00:02Z", "two")),
    )

    def on_create(cluster: Kubernetes, collection: str, content: dict[str, Any]) -> None:
        made.append(json.loads(json.dumps(content)))
        kubelet(cluster, collection, content)

    cluster.on_create = on_create
    variables = {"OPTION_A": "x; $(KUBERNETES_TOKEN) y"}
    outcome, heard = script(
        does, cluster, variables=variables, secrets={"TOKEN": SECRET}, settings={"captures": {"V": "version:"}}
    )
    assert (outcome.state, outcome.exit_code, outcome.values) == ("ok", 0, {"V": "7"})
    assert heard.text("stdout") == "one\nversion: 7\nagain ••••••\ntwo\n"
    assert heard.text("midwatch").count("ImagePullBackOff: no such image") == 1
    secret, job = made
    assert secret["stringData"] == {"TOKEN": SECRET}
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["echo $OPTION_A $$(date)"]
    assert container["env"][0] == {"name": "OPTION_A", "value": "x; $$(KUBERNETES_TOKEN) y"}
    assert container["env"][1]["valueFrom"]["secretKeyRef"]["key"] == "TOKEN"
    assert SECRET not in json.dumps(job)
    assert TOKEN not in json.dumps(made)
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["activeDeadlineSeconds"] == 60
    patch = next(request for request in cluster.requests if request.method == "PATCH")
    assert patch.json["metadata"]["ownerReferences"][0]["kind"] == "Job"
    assert cluster.objects == {}, "nothing is left in the cluster"


def test_a_job_that_fails(does: Does, cluster: Kubernetes) -> None:
    cluster.on_create = Kubelet(code=3)
    outcome, _ = script(does, cluster, settings={"keep": "true"})
    assert (outcome.state, outcome.exit_code) == ("failed", 3)
    assert "BackoffLimitExceeded" in outcome.sentence
    assert [path for path in cluster.objects if "jobs" in path], "kept, as it was said"


def test_a_cancel_deletes_the_job_and_its_pods(does: Does, cluster: Kubernetes) -> None:
    cluster.on_create = Kubelet(*[says(("2026-01-01T00:00:01Z", "up"))] * 500)
    outcome, _ = script(does, cluster, cancel_at="up")
    assert (outcome.state, outcome.sentence) == ("failed", "cancelled; the job and its pods were deleted")
    assert [how for _, how in cluster.deleted] == ["Foreground"]
    assert cluster.objects == {}


def test_a_deletion_that_is_not_over_is_unknown(
    does: Does, cluster: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "DELETE_SECONDS", 0.2)
    cluster.deletes_at_once = False
    cluster.on_create = Kubelet(*[says(("2026-01-01T00:00:01Z", "up"))] * 500)
    outcome, _ = script(does, cluster, seconds=0.5)
    assert (outcome.state, "may still run there" in outcome.sentence) == ("unknown", True)


def test_a_custom_resource_and_its_condition(does: Does, cluster: Kubernetes) -> None:
    def operator(cluster: Kubernetes, collection: str, content: dict[str, Any]) -> None:
        old = {"type": "Ready", "status": "True", "observedGeneration": 0}
        new = {"type": "Ready", "status": "True", "reason": "Done", "message": "moved", "observedGeneration": 1}
        content["status"] = {"conditions": [old, {"type": "Moving", "status": "True", "reason": "Begun"}, new]}

    cluster.on_create = operator
    given = {"variables": {"OPTION_ZONE": 'b"}\nkind: ClusterRoleBinding'}, "language": "yaml"}
    outcome, heard = step(does, cluster, FAILOVER, settings={"condition": "Ready"}, **given)
    assert (outcome.state, outcome.sentence) == ("ok", "Ready: Done: moved")
    assert "Moving=True: Begun" in heard.text("midwatch")
    (found,) = cluster.objects.values()
    assert found["spec"] == {"to": 'b"}\nkind: ClusterRoleBinding'}
    assert found["kind"] == "Failover"
    # The same step again: the name is there already, and nobody knows what became of that one.
    outcome, _ = step(does, cluster, FAILOVER, settings={"condition": "Ready"}, **given)
    assert (outcome.state, "already" in outcome.sentence) == ("unknown", True)


def test_a_condition_that_means_failure_and_one_that_never_comes(does: Does, cluster: Kubernetes) -> None:
    body = FAILOVER.replace("${OPTION_ZONE}", "b")
    cluster.on_create = lambda _, __, content: content.update(
        status={"conditions": [{"type": "Degraded", "status": "True", "reason": "NoQuorum"}]}
    )
    settings = {"condition": "Ready", "failed_condition": "Degraded=True", "keep": "false"}
    outcome, _ = step(does, cluster, body, language="yaml", settings=settings)
    assert (outcome.state, outcome.sentence) == ("failed", "Degraded: NoQuorum")
    assert cluster.objects == {}
    outcome, _ = step(does, cluster, body, language="yaml", settings={"condition": "Ready"}, seconds=0.3)
    assert (outcome.state, "may go on there" in outcome.sentence) == ("unknown", True)


def test_a_dry_run_is_the_servers(does: Does, cluster: Kubernetes) -> None:
    outcome, _ = script(does, cluster, secrets={"TOKEN": SECRET}, is_dry_run=True)
    assert (outcome.state, outcome.coverage, cluster.objects) == ("ok", (1, 1), {})
    outcome, _ = step(
        does,
        cluster,
        FAILOVER.replace("spec", "spek"),
        language="yaml",
        variables={"OPTION_ZONE": "a"},
        is_dry_run=True,
    )
    assert (outcome.state, "unknown field" in outcome.sentence) == ("failed", True)


def test_refusals(does: Does, cluster: Kubernetes) -> None:
    outcome, _ = script(does, cluster, secrets={"KUBERNETES_TOKEN": "wrong-token-000"})
    assert (outcome.state, "401 Unauthorized" in outcome.sentence) == ("failed", True)
    outcome, _ = step(does, cluster, "apiVersion: shop.example.com/v1\nkind: Nothing\n", language="yaml")
    assert (outcome.state, "knows no Nothing" in outcome.sentence) == ("failed", True)
    outcome, _ = script(does, cluster, is_trusted=False)
    assert "MIDWATCH_OUTBOUND_ALLOW" in outcome.sentence
    outcome, _ = script(does, cluster, settings={"url": "http://127.0.0.1:1"})
    assert (outcome.state, "not begun" in outcome.sentence) == ("failed", True)


def test_a_creation_without_an_answer_is_looked_for(does: Does, cluster: Kubernetes) -> None:
    plain = cluster.respond

    def respond(request: Any) -> Reply:
        made = plain(request)
        return Reply(504, b"gateway") if request.method == "POST" else made

    cluster.respond = respond  # type: ignore[method-assign]
    cluster.on_create = lambda one, _, content: one.finish(content)
    assert script(does, cluster)[0].state == "ok"
    cluster.respond = lambda request: Reply(504) if request.method == "POST" else plain(request)  # type: ignore[method-assign]
    outcome, _ = script(does, cluster)
    assert (outcome.state, "not begun" in outcome.sentence) == ("failed", True)


def test_an_api_server_that_is_away(does: Does, cluster: Kubernetes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "SILENCE_SECONDS_MAX", 0.2)
    plain = cluster.respond
    answers = iter([True, False, True])

    def respond(request: Any) -> Reply:
        is_look = request.method == "GET" and request.path.startswith(JOBS)
        return Reply(503) if is_look and next(answers, False) else plain(request)

    cluster.respond = respond  # type: ignore[method-assign]
    cluster.on_create = lambda one, _, content: one.finish(content)
    assert script(does, cluster)[0].state == "ok"
    cluster.respond = lambda request: Reply(503) if request.method == "GET" else plain(request)  # type: ignore[method-assign]
    outcome, _ = script(does, cluster)
    assert (outcome.state, "may go on there" in outcome.sentence) == ("unknown", True)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("a: &a [x]\nb: *a", "anchors"),
        ("- a", "no object"),
        ("apiVersion: v1/../x\nkind: Pod", "apiVersion"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: ../x}", "metadata.name"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {namespace: kube-system}", "namespace"),
        ("apiVersion: v1\nkind: '${OPTION_NO}'", "no such variable"),
        ("a: [", "line"),
    ],
)
def test_what_cannot_be_created_is_refused_before(body: str, problem: str) -> None:
    task = Task("1/a/1", "yaml", body, secrets={"KUBERNETES_TOKEN": "a token"}, settings={"url": "https://k"})
    found = runners()["kubernetes"].problems(task)
    assert any(problem in one for one in found), found


def test_a_value_adds_no_field() -> None:
    body = "apiVersion: batch/v1\nkind: Job\nspec:\n  a: '${OPTION_A}'\n  b: ${OPTION_A}"
    hostile = "x'}\nmetadata: {namespace: kube-system}"
    one = objects.wanted(Task("1/a/1", "yaml", body, {"OPTION_A": hostile}))
    assert one.content["spec"] == {"a": hostile, "b": hostile}
    assert one.namespace == "default"


def test_a_log_faster_than_it_can_be_read_goes_on() -> None:
    lines = [f"2026-01-01T00:00:01.{n:09d}Z " + "x" * 1_000 for n in range(2_000)] + ["2026-01-01T00:00:03.5Z end"]
    said: list[str] = []

    def read(query: dict[str, str]) -> str:
        since = query.get("sinceTime", "")[:19]
        return "".join(f"{line}\n" for line in lines if line[:19] >= since)[:BYTES_MAX]

    log = Log(read, said.append)
    log.go_on(is_over=True)
    assert said[-1] == "end\n"
    assert any("left out" in one for one in said)
    count = len(said)
    log.go_on(is_over=True)
    assert len(said) == count


def test_attributes_are_filled_and_checked_after(does: Does, cluster: Kubernetes) -> None:
    cluster.on_create = lambda one, _, content: one.finish(content)
    settings = {"namespace": "${OPTION_NS}", "image": "alpine:${OPTION_TAG}"}
    outcome, heard = script(does, cluster, settings=settings, variables={"OPTION_NS": "shop", "OPTION_TAG": "3.20"})
    assert outcome.state == "ok"
    assert "Job shop/" in heard.text("midwatch")
    outcome, _ = script(does, cluster, settings=settings, variables={"OPTION_NS": "../kube-system", "OPTION_TAG": "3"})
    assert (outcome.state, "namespace" in outcome.sentence) == ("failed", True)
    outcome, _ = script(does, cluster, settings={"url": "${OPTION_URL}"}, variables={"OPTION_URL": cluster.url})
    assert "MIDWATCH_OUTBOUND_ALLOW" in outcome.sentence
