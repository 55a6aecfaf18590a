"""The blameless linter: it looks for people as the grammatical actors of failure. Pure; English only.

A list of words is no good here: systems "fail to" do things all day, and nobody is blamed. So for each word of failure
it is asked **who** the sentence makes the actor. A person (somebody we know by name, "the engineer", "we") is flagged; a
load balancer is not. Code, addresses, quotations of four words and more, block quotes and fenced blocks are not read.

The kinds of rules are those of PagerDuty's guides on blameless post-mortems (docs/post-mortems.md names them); words,
grammar and examples are our own. How well it does is measured on tests/learn/postmortems/blameless_sample.yaml.
"""

from __future__ import annotations

from midwatch.learn.postmortems.blameless.external import Replaced, replace_names
from midwatch.learn.postmortems.blameless.finding import Finding, Rule
from midwatch.learn.postmortems.blameless.names import Known, Person
from midwatch.learn.postmortems.blameless.rules import FINDINGS_MAX, lint

__all__ = ["FINDINGS_MAX", "Finding", "Known", "Person", "Replaced", "Rule", "lint", "replace_names"]
