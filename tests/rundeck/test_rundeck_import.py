"""Jobs of a Rundeck as runbooks: what they meant is kept, and what has no equal is a person's, with the original."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from typing import Any

import pytest
import yaml

from midwatch.core import foreign
from midwatch.core.foreign import ForeignError, ForeignFile, as_yaml, documents, opened, xml
from midwatch.core.integration import ImportedRunbook, Imports, ImportWish, importers, runners
from midwatch.integrations.rundeck import schedule
from midwatch.integrations.rundeck.nodes import Node, chosen
from midwatch.integrations.rundeck.variables import Known, in_shell
from midwatch.prepare.runbooks.document import parse
from rundeck_jobs import TEST_JOB

RESOURCES = """
web1: {nodename: web1, hostname: web1.example.com, username: deploy, tags: 'web,prod', osFamily: unix}
web2: {nodename: web2, hostname: web2.example.com, username: deploy, tags: 'web,test'}
db1: {nodename: db1, hostname: db1.example.com, username: '${option.user}', tags: 'db,prod'}
"""


def imported(*files: tuple[str, str | bytes], **wish: str) -> Imports:
    """Whatever comes out is a runbook."""
    found = [ForeignFile(name, data.encode() if isinstance(data, str) else data) for name, data in files]
    read = importers()["rundeck"].read(found, ImportWish(**wish))
    known = {name: set(one.ATTRIBUTES) for name, one in runners().items()} | {"runbook": {"runbook", "options"}}
    for one in read.runbooks:
        document = parse(one.text, executors=known)
        assert document.front.name == one.name
        assert [step.name for step in document.steps] == [attributes["name"] for _, attributes, _ in fences(one)]
    return read


def job(*commands: Any, **more: Any) -> dict[str, Any]:
    return {"name": "restart", "uuid": "u-1", "description": "", "sequence": {"commands": list(commands)}, **more}


def made(value: dict[str, Any], *files: tuple[str, str | bytes]) -> ImportedRunbook:
    found = imported(("job.json", json.dumps([value])), *files)
    assert not found.refused
    return found.runbooks[0]


def became(one: ImportedRunbook) -> dict[str, str]:
    return {part.part: part.word for part in one.mapped}


def front(one: ImportedRunbook) -> dict[str, Any]:
    found = yaml.safe_load(one.text.split("---")[1])
    assert isinstance(found, dict)
    return found


def fences(one: ImportedRunbook) -> list[tuple[str, dict[str, Any], str]]:
    found, lines = [], iter(one.text.split("\n"))
    for line in lines:
        if line.startswith("```"):
            ticks = line[: len(line) - len(line.lstrip("`"))]
            language, _, info = line[len(ticks) :].partition(" ")
            body = []
            for inner in lines:
                if inner == ticks:
                    break
                body.append(inner)
            found.append((language, json.loads(info), "\n".join(body)))
    return found


def test_the_job_of_ansibles_own_tests_is_one_step_that_runs() -> None:
    one = imported(("test_job.yaml", TEST_JOB), team="payments").runbooks[0]
    assert (one.name, one.title, one.key) == ("test_job", "test_job", "3b8a6e54-69fb-42b7-b98f-f82e59238478")
    assert front(one)["team"] == "payments"
    assert [option["name"] for option in front(one)["options"]] == ["exit_code", "sleep"]
    ((language, attributes, body),) = fences(one)
    assert (language, attributes["kind"], attributes["executor"]) == ("sh", "auto", "local")
    assert body == 'sleep $OPTION_SLEEP && echo "Test done!" && exit $OPTION_EXIT_CODE'
    assert set(became(one).values()) == {"same"}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("ping ${option.host}", 'ping "${OPTION_HOST}"'),
        ('ping "a ${option.host}"', 'ping "a ${OPTION_HOST}"'),
        ("ping 'a ${option.host}'", "ping 'a '\"${OPTION_HOST}\"''"),
        ('x="$(ping ${option.host})"', 'x="$(ping "${OPTION_HOST}")"'),
        ("echo it\\'s ${option.host}", 'echo it\\\'s "${OPTION_HOST}"'),
        ("# don't ${option.host}\nping ${option.host}", '# don\'t $OPTION_HOST\nping "${OPTION_HOST}"'),
        ("ping ${unquotedoption.host}", 'ping "${OPTION_HOST}"'),
        ("echo ${job.name} '${job.name}'", "echo 'it'\\''s' '''it'\\''s'''"),
        ("echo $RD_OPTION_HOST", "echo $OPTION_HOST"),
        ("echo ${HOME} ${#x}", "echo ${HOME} ${#x}"),
    ],
)
def test_a_reference_is_written_as_the_quotes_around_it_want(theirs: str, ours: str) -> None:
    known = Known({"host": "host"}, {"name": "it's"})
    assert in_shell(theirs, known) == ours
    assert not known.unknown


def test_a_shell_reads_each_reference_as_one_word_and_runs_none_of_it() -> None:
    """In Rundeck and here: the value, whatever is in it."""
    value = "a  b; $(echo no) `no` 'q' \"d\" \\ *"
    lines = [
        "${option.x}",
        '"${option.x}"',
        "'${option.x}'",
        '"<${option.x}>"',
        "'<${option.x}>'",
        '"$(printf %s ${option.x})"',
    ]
    known = Known({"x": "x"}, {})
    script = "\n".join(f"printf '%s\\n' {in_shell(line, known)}" for line in lines)
    done = subprocess.run(["sh", "-c", script], env={"OPTION_X": value}, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [value] * 3 + [f"<{value}>"] * 2 + [value]


@pytest.mark.parametrize(
    "text", ["`ping ${option.host}`", "cat <<X\n${option.host}\nX", "echo ${data.x}", "echo $RD_JOB_SERVERURL"]
)
def test_where_it_cannot_be_told_a_person_does_it(text: str) -> None:
    one = made(job({"exec": text}, options=[{"name": "host"}]))
    ((_, attributes, body),) = fences(one)
    assert attributes["kind"] == "manual"
    assert yaml.safe_load(body) == {"exec": text}
    assert became(one)[f"step 1: {' '.join(text.split())[:60]}"] == "manual"


def test_scripts_and_their_interpreters() -> None:
    one = made(
        job(
            {"script": "#!/bin/bash\necho @option.host@ $1", "args": "${option.host} x"},
            {"script": "import os\nprint(os.environ['RD_OPTION_HOST'])", "scriptInterpreter": "/usr/bin/env python3"},
            {"script": "print 1;\n", "scriptInterpreter": "perl", "args": "a"},
            {"script": "print '@option.host@'", "scriptInterpreter": "python3"},
            {"script": "x", "scriptInterpreter": "sudo -u app bash"},
            {"scriptfile": "/opt/x.sh", "args": "${option.host}"},
            {"scripturl": "https://example.com/x.sh"},
            options=[{"name": "host"}],
        )
    )
    found = fences(one)
    assert found[0][0] == "bash"
    assert found[0][2] == '#!/bin/bash\nset -- "${OPTION_HOST}" x\necho "${OPTION_HOST}" $1'
    assert found[1][0] == "python"
    assert "os.environ['OPTION_HOST']" in found[1][2]
    assert found[2][2] == "perl - a <<'RUNBOOK_SCRIPT'\nprint 1;\nRUNBOOK_SCRIPT"
    assert [attributes["kind"] for _, attributes, _ in found] == ["auto"] * 3 + ["manual"] * 2 + ["auto", "manual"]
    assert found[5][2] == '/opt/x.sh "${OPTION_HOST}"'


def test_what_rundeck_sells_and_what_nobody_knows_is_by_hand_with_the_original() -> None:
    unknown = {"type": "com.acme.Launch", "nodeStep": False, "configuration": {"where": "moon", "text": "a\nb\n"}}
    one = made(
        job(
            unknown,
            {"conditionGroups": [{"if": 1}], "subSteps": [{"exec": "x"}]},
            {"exec": "x", "script": "y"},
            None,
            7,
        )
    )
    found = fences(one)
    assert [attributes["kind"] for _, attributes, _ in found] == ["manual", "manual", "manual", "auto"]
    assert yaml.safe_load(f"{found[0][2]}\n") == unknown
    assert "the plugin com.acme.Launch is not known here" in one.text
    ruled = made(
        job(
            {"exec": "x"},
            sequence={"strategy": "ruleset", "pluginConfig": {"x": "[1] run"}, "commands": [{"exec": "x"}]},
        )
    )
    assert [attributes["kind"] for _, attributes, _ in fences(ruled)] == ["manual", "run"]


def test_plugins_with_an_equal() -> None:
    ansible = "com.batix.rundeck.plugins.AnsiblePlaybookInlineWorkflowStep"
    http = "edu.ohio.ais.rundeck.HttpWorkflowStepPlugin"
    one = made(
        job(
            {"type": ansible, "configuration": {"ansible-playbook-inline": "- hosts: all\n", "ansible-become": "true"}},
            {
                "type": http,
                "configuration": {
                    "remoteUrl": "https://example.com/${option.host}", "method": "post", "headers": '{"X-A": "1"}',
                    "body": "{}", "checkResponseCode": "true", "responseCode": "201",
                },
            },
            options=[{"name": "host"}],
        )
    )  # fmt: skip
    found = fences(one)
    assert (found[0][1]["executor"], found[0][2]) == ("ansible", "- hosts: all")
    assert found[1][1]["executor"] == "http"
    assert found[1][2] == "POST https://example.com/${OPTION_HOST}\nX-A: 1\n\n{}"
    assert "ansible-become" in next(part.note for part in one.mapped if part.part.startswith("step 1"))


def test_options_with_all_their_keys() -> None:
    one = made(
        job(
            {"exec": "echo ${option.the name} ${option.pass}"},
            options=[
                {"name": "the name", "label": "Name", "description": "Of it", "required": True, "regex": "[a-z]+"},
                {"name": "env", "values": ["test", "prod"], "enforced": True, "value": "test"},
                {"name": "many", "values": ["a", "b"], "enforced": True, "multivalued": True, "delimiter": " "},
                {"name": "pass", "secure": True, "storagePath": "keys/db", "value": "hunter2"},
                {"name": "day", "isDate": True, "dateFormat": "MM/DD/YYYY"},
                {"name": "near", "values": "a,b", "valuesUrl": "https://example.com/list"},
                {"name": "PASS", "type": "file"},
                "nonsense",
            ],
        )
    )
    options = {option["name"]: option for option in front(one)["options"]}
    assert options["the_name"] == {
        "name": "the_name", "type": "regex", "title": "Name", "description": "Of it", "required": True, "pattern": "[a-z]+",
    }  # fmt: skip
    assert options["env"] == {"name": "env", "type": "enum", "values": ["test", "prod"], "default": "test"}
    assert options["many"] == {"name": "many", "type": "enum", "multiple": True, "delimiter": " ", "values": ["a", "b"]}
    assert options["pass"] == {"name": "pass", "type": "secret", "secret": "db"}
    assert "hunter2" not in one.text
    assert options["day"]["type"] == "date"
    assert options["near"] == {"name": "near", "type": "text", "values": ["a", "b"], "enforced": False}
    assert set(options) == {"the_name", "env", "many", "pass", "day", "near", "PASS_2"}
    assert became(one)["option near"] == "near"


def test_nodes_are_named_when_the_resources_come_along() -> None:
    value = job({"exec": "uptime"}, nodefilters={"filter": "tags: web !nodename: web2", "dispatch": {"threadcount": 5}})
    alone = made(value)
    assert fences(alone)[0][1]["kind"] == "manual"
    assert "tags: web !nodename: web2" in alone.text
    one = made(value, ("resources.yaml", RESOURCES))
    assert fences(one)[0][1]["targets"] == ["deploy@web1.example.com"]
    assert fences(one)[0][1]["executor"] == "ssh"
    legacy = made(job({"exec": "x"}, nodefilters={"include": {"tags": "prod"}, "exclude": {"hostname": "db.*"}}),
                  ("resources.yaml", RESOURCES))  # fmt: skip
    assert fences(legacy)[0][1]["targets"] == ["deploy@web1.example.com"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tags: web+prod", "web1"),
        ("tags: web+prod,db", "web1 db1"),
        ("web.*", "web1 web2"),
        ("hostname: web1.example.com,db1.example.com", "web1 db1"),
        ("!tags: web", "db1"),
        ("os-family: unix", "web1"),
        (".*", "web1 web2 db1"),
        ("nodename: (a+)+$", None),
        ("name: ${option.x}", None),
    ],
)
def test_the_language_of_node_filters(text: str, names: str | None) -> None:
    nodes = [
        Node("web1", {"nodename": "web1", "hostname": "web1.example.com", "tags": "web,prod", "osFamily": "unix"}),
        Node("web2", {"nodename": "web2", "hostname": "web2.example.com", "tags": "web"}),
        Node("db1", {"nodename": "db1", "hostname": "db1.example.com", "tags": "db"}),
    ]
    found = chosen(nodes, text)
    assert (found if found is None else " ".join(node.name for node in found)) == names


@pytest.mark.parametrize(
    ("quartz", "cron"),
    [
        ("0 30 */6 ? Jan Mon *", "30 */6 * 1 1"),
        ("0 0 12 ? * 2-6", "0 12 * * 1-5"),
        ("0 0 12 ? * MON-FRI", "0 12 * * 1-5"),
        ("0 5/15 * * * ?", "5-59/15 * * * *"),
        ("0 0 4 1,15 * ?", "0 4 1,15 * *"),
        ("30 0 4 1 * ?", "0 4 1 * *"),
        ("0 0 12 L * ?", ""),
        ("0 0 12 ? * 6#3", ""),
        ("*/5 * * * * ?", ""),
        ("0 0 12 ? * 1 2027", ""),
        ("0 0 12 ? * FRI-MON", ""),
        ("0 99 12 ? * 1", ""),
        ("nonsense", ""),
    ],
)
def test_quartz_in_crons_words(quartz: str, cron: str) -> None:
    found = schedule.from_quartz(quartz)
    assert found.cron == cron
    assert bool(found.problem) == (not cron)
    assert bool(found.lost) == quartz.startswith("30 ")


def test_schedules_notifications_retries_and_the_rest_are_said() -> None:
    one = made(
        job(
            {"exec": "x", "errorhandler": {"exec": "y", "keepgoingOnSuccess": True}},
            schedule={"time": {"hour": "04", "minute": "30", "seconds": "0"}, "month": "*", "weekday": {"day": "2,3"}},
            timeZone="Europe/Prague",
            notification={
                "onsuccess": {"email": {"recipients": "ops@example.com"}},
                "onfailure": [{"urls": "https://u:p@example.com/hook/SECRETKEY"}, {"plugin": {"type": "Slack"}}],
            },
            timeout="6h 30m", retry={"retry": "2", "delay": "30s"}, loglimit="10MB", multipleExecutions=True,
            maxMultipleExecutions="3", executionEnabled=False, orchestrator={"type": "subset"},
        )
    )  # fmt: skip
    assert one.schedule == "30 04 * * 1,2"
    assert "SECRETKEY" not in one.text
    assert "a webhook to example.com" in one.text
    assert "e-mail to ops@example.com" in one.text
    assert one.is_active is False
    assert front(one)["concurrency"] == 3
    step = fences(one)[0][1]
    assert (step["timeout"], step["retry"]) == ("23400s", {"attempts": 3, "delay": "30s"})
    assert step["onFailure"] == fences(one)[1][1]["name"]
    words = became(one)
    assert (words["orchestrator"], words["loglimit"], words["retry"], words["timeout"]) == (
        "dropped",
        "dropped",
        "same",
        "same",
    )


def test_a_job_that_calls_another() -> None:
    first = job(
        {"jobref": {"name": "other", "group": "a/b", "args": '-x ${option.host} -y "1 2"'}}, options=[{"name": "host"}]
    )
    other = {**job({"exec": "x"}), "name": "other", "group": "a/b", "uuid": "u-2"}
    found = imported(("jobs.yaml", as_yaml([first, other]))).runbooks
    assert fences(found[0])[0][1]["runbook"] == "other"
    assert fences(found[0])[0][1]["options"] == {"x": "${option.host}", "y": "1 2"}
    assert fences(made(first))[0][1]["kind"] == "manual"


JOB_XML = """<joblist><job>
  <id>x-1</id><uuid>x-1</uuid><name>deploy</name><group>web</group><description><![CDATA[First line
second]]></description>
  <context><project>shop</project><options preserveOrder='true'>
    <option name='env' enforcedvalues='true' values='test,prod' required='true'/><option name='pass' secure='true'/>
  </options></context>
  <logging limit='10MB' limitAction='halt'/><retry delay='5s'>2</retry>
  <schedule><month month='*'/><time hour='04' minute='30' seconds='0'/><weekday day='MON'/></schedule>
  <sequence keepgoing='true' strategy='node-first'>
    <command><script><![CDATA[#!/bin/bash
echo @option.env@ $1]]></script><scriptargs>${option.env}</scriptargs>
      <errorhandler keepgoingOnSuccess='true'><exec>echo sorry</exec></errorhandler></command>
    <command><jobref group='web' name='check'><arg line='-x 1'/></jobref></command>
    <command><step-plugin type='acme'><configuration><entry key='a' value='b'/></configuration></step-plugin></command>
  </sequence>
  <notification><onfailure><webhook urls='https://example.com/x'/></onfailure></notification>
</job><job><name>check</name><group>web</group><description/><sequence><command><exec>true</exec></command></sequence></job></joblist>"""


def archive(**members: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as found:
        for name, text in members.items():
            found.writestr(name, text)
    return written.getvalue()


def test_a_projects_archive() -> None:
    data = archive(**{
        "META-INF/MANIFEST.MF": "x", "rundeck-shop/jobs/job-x-1.xml": JOB_XML,
        "rundeck-shop/executions/execution-1.xml": "<executions/>", "rundeck-shop/reports/report-1.xml": "<report/>",
        "rundeck-shop/acls/ops.aclpolicy": "description: Ops\ncontext: {project: .*}\n"
        "for: {job: [{allow: [run, read]}]}\nby: {group: [ops]}\n",
        "../../etc/passwd.yaml": TEST_JOB,
    })  # fmt: skip
    files = opened("shop.jar", data, importers()["rundeck"].ENDINGS)
    found = importers()["rundeck"].read(files, ImportWish())
    assert not found.refused
    assert [one.name for one in found.runbooks] == ["deploy", "check", "test_job"]
    one = found.runbooks[0]
    assert (one.key, one.group, one.schedule) == ("x-1", "web", "30 04 * * 1")
    assert "second" in one.text
    assert front(one)["options"][0] == {"name": "env", "type": "enum", "required": True, "values": ["test", "prod"]}
    steps = fences(one)
    assert steps[0][2].splitlines()[1] == 'set -- "${OPTION_ENV}"'
    assert [attributes["kind"] for _, attributes, _ in steps] == ["auto", "auto", "auto", "manual"]
    assert steps[2][1]["runbook"] == "check"
    assert yaml.safe_load(steps[3][2])["configuration"] == {"a": "b"}
    assert found.notes == [
        "Policy Ops: group ops may read, run jobs. Here the members of the team that owns a runbook may run it."
    ]


def test_prose_and_titles_of_a_stranger_open_no_step() -> None:
    trick = 'a\n```sh {"name": "evil", "kind": "auto", "executor": "local"}\nrm -rf /\n```\n---\nteam: x'
    one = made(job({"exec": "echo '```'\n```\n"}, description=trick, name='x"\n# y ```'))
    assert [attributes["name"] for _, attributes, _ in fences(one)] == ["echo"]
    assert "evil" not in [attributes["name"] for _, attributes, _ in fences(one)]
    assert front(one)["title"] == 'x" # y ```'


def test_hostile_files_are_refused_and_the_rest_goes_on() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    files: list[tuple[str, str | bytes]] = [
        ("bomb.yaml", bomb),
        ("merge.yaml", bomb + "z: {<<: [*i, *i]}\n"),
        ("deep.yaml", "[" * 5_000 + "]" * 5_000),
        ("deep.json", "[" * 5_000 + "]" * 5_000),
        ("loop.yaml", "&a [*a]"),
        ("tag.yaml", "!!python/object/apply:os.system [id]"),
        ("entity.xml", '<!DOCTYPE x [<!ENTITY a "aa">]><joblist/>'),
        ("deep.xml", "<a>" * 5_000 + "</a>" * 5_000),
        ("nul.yaml", b"- name: a\0b"),
        ("latin.yaml", b"- name: \xff"),
        ("half.json", '[{"name": "x'),
        ("number.json", "[1" + "0" * 6_000 + "]"),
        ("words.yaml", "- name: x\n- just words\n- {name: [], sequence: {}}\n"),
        ("good.yaml", TEST_JOB),
    ]
    found = imported(*files)
    assert [one.name for one in found.runbooks] == ["test_job"]
    assert {origin.partition(",")[0] for origin, _ in found.refused} == {name for name, _ in files[:-1]}


def test_an_archive_that_grows_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "UNPACKED_BYTES_MAX", 8_000_000)
    zeros = archive(**{f"jobs/{n}.yaml": "x" * 3_000_000 for n in range(3)})
    assert len(zeros) < 1_000_000
    with pytest.raises(ForeignError, match="unpacks to more"):
        opened("x.zip", zeros, (".yaml",))
    with pytest.raises(ForeignError, match="no ZIP archive"):
        opened("x.zip", b"PK\x03\x04" + b"nonsense" * 100, (".yaml",))
    (large,) = opened("x.zip", archive(**{"a.yaml": "x" * 6_000_000}), (".yaml",))
    with pytest.raises(ForeignError, match="larger than"):
        documents(large)
    with pytest.raises(ForeignError):
        xml(ForeignFile("x.xml", b""))


@pytest.mark.parametrize(
    "field", sorted(job({"exec": "x"}, options=1, schedule=1, nodefilters=1, notification=1, retry=1, timeout=1))
)
@pytest.mark.parametrize("value", [None, 0, "x", [], {}, [[]], {"a": {"b": []}}, [None, 1, {"": None}], True])
def test_no_field_of_an_odd_shape_breaks_it(field: str, value: Any) -> None:
    imported(("job.json", json.dumps([{**job({"exec": "x"}), field: value}])))
    imported(
        (
            "job.json",
            json.dumps([job({"exec": "x", "errorhandler": value, "script": value, "jobref": value, "plugins": value})]),
        )
    )
    imported(
        (
            "job.json",
            json.dumps(
                [
                    job(
                        {"type": "x.HttpWorkflowStepPlugin", "configuration": value},
                        options=[{"name": "a", "values": value}],
                    )
                ]
            ),
        )
    )
