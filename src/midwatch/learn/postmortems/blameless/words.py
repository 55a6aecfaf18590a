"""The words the linter knows, by what they do in a sentence. English."""

from __future__ import annotations

from typing import Final


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


PERSON_PRONOUNS: Final = _set(
    "i we he she you who whoever somebody someone anybody anyone everybody everyone nobody no-one"
)
NOBODY: Final = _set("nobody no-one none")
THING_PRONOUNS: Final = _set("it this that these those there what which")
POSSESSIVE_PRONOUNS: Final = _set("my our his her your their whose")
DETERMINERS: Final = _set(
    "the a an this that these those my our his her your their its each every no any some another both which whose"
)
QUANTIFIERS: Final = _set(
    "one none all some most many several both each neither either half few number majority rest any"
)

# Who a noun at the head of a subject is. Users and customers are not here: they suffer failures, they do not cause them.
PERSON_NOUNS: Final = _set(
    "engineer developer dev programmer admin administrator sysadmin dba sre on-caller oncaller on-call oncall responder"
    " technician employee colleague contractor intern junior senior newcomer teammate team-mate coworker co-worker person"
    " people human humans staff personnel team crew squad reviewer approver tester author committer maintainer architect"
    " analyst deployer-on-duty ic operator guy man woman men women individual management leadership ops secops netops"
    " devops deputy incident-commander facilitator scribe freshman apprentice trainee releaser consultant trader"
    " hire joiner shift-lead successor predecessor helpdesk"
)
# Person nouns only beside another word that makes them people; alone they are more often parts of systems.
PERSON_BESIDE: Final = {
    "manager": _set(
        "release incident communication communications project product engineering duty team people account change"
    ),
    "lead": _set("tech technical team shift incident engineering project communications release"),
    "commander": _set("incident the our an"),
    "member": _set("team staff crew squad shift"),
    "owner": _set("service product code system component process"),
    "leader": _set("team shift project engineering squad"),
    "specialist": _set("network security database duty the a our"),
    "group": _set("platform security network database engineering infrastructure"),
    "department": _set("it operations security infrastructure network engineering the"),
    "shift": _set("night day on-call weekend previous next earlier evening"),
    "caller": _set("on"),
}
# "The Kubernetes operator", "a Raft member": person nouns that these make into things.
MACHINE_BESIDE: Final = _set(
    "kubernetes k8s prometheus postgres postgresql redis kafka elasticsearch mysql cluster raft etcd rook strimzi crd"
    " helm database-as-a-service bitwise logical ternary sql join ingress cert-manager istio vault flux argo spark null"
)
MACHINE_COMPLEMENTS: Final = _set("reconcile reconciling requeue")

PREPOSITIONS: Final = _set(
    "of in on at for from to by with without into onto over under after before during since until through across between"
    " behind within about against via per near around inside outside despite upon towards toward among amid besides"
)
CONJUNCTIONS: Final = _set(
    "and or but because so when while if although though whereas unless since then yet once whenever until after before"
    " as however therefore nor whether why where how"
)
RELATIVES: Final = _set("that which who whom")
AUXILIARIES: Final = _set(
    "had has have having was were is are be been being am did does do would could should may might must will shall can"
    " ought not never didn't hadn't hasn't haven't wasn't weren't isn't aren't doesn't don't wouldn't couldn't shouldn't"
    " mustn't also just simply even still again then once twice soon later already ever clearly apparently somehow both"
    " too very quite all who'd he'd she'd they'd we'd i'd"
)
CONTRACTED: Final = {"he'd": "he", "she'd": "she", "we'd": "we", "i'd": "i", "they'd": "they", "you'd": "you"}

# People doing these, as the grammatical actor, is what a blameless text does not say.
FAILURES: Final = _set(
    "forgot forget forgets forgetting neglected neglects neglect ignored ignores overlooked overlooks missed misses"
    " broke breaks caused causes botched mishandled misread misconfigured mistyped misunderstood misjudged miscalculated"
    " misinterpreted misdiagnosed mismanaged misused blundered bungled erred slipped goofed violated disregarded dismissed"
    " skipped bypassed underestimated crashed corrupted wrecked ruined fumbled flubbed mixed-up panicked misreported"
    " misplaced misapplied disobeyed dropped-the-ball"
)
# Harmless with these right after: "failed over", "broke glass", "missed the target".
HARMLESS_AFTER: Final = {
    "broke": _set("glass down the-glass out off even up into ground"),
    "breaks": _set("glass down out off up"),
    "missed": _set("lunch"),
    "failed": _set("over back away"),
    "fail": _set("over back away"),
    "skipped": _set("ahead"),
    "dropped": _set("off"),
    "slipped": _set("past through"),
    "dismissed": _set("the-alert"),
}
TARGETS: Final = _set("slo slos sla slas target targets objective objectives goal deadline rto rpo")
# Only people forget and overlook, whoever is named: "the step was forgotten".
ONLY_PEOPLE: Final = _set(
    "forgotten overlooked neglected mishandled botched misunderstood misjudged misdiagnosed mistyped"
)
# What people "did not" do.
OMITTED: Final = _set(
    "check verify test read follow notice escalate respond answer acknowledge ask tell inform communicate document review"
    " monitor validate double-check update consider bother care listen look think pay confirm coordinate announce warn"
    " report prepare plan anticipate foresee question page consult watch heed rehearse investigate challenge recognise"
    " recognize remember"
)
OMITTED_PAST: Final = _set(
    "checked verified tested read followed noticed escalated responded answered acknowledged asked told informed documented"
    " reviewed monitored validated double-checked updated considered bothered looked thought paid confirmed coordinated"
    " announced warned reported prepared planned anticipated questioned consulted watched rehearsed investigated caught"
    " realised realized recognised recognized remembered rehearsed"
)
# Said of people these make a deed a misdeed: "accidentally deleted".
MISDEED_ADVERBS: Final = _set(
    "accidentally mistakenly inadvertently wrongly incorrectly erroneously improperly unintentionally hastily rashly"
    " blindly carelessly recklessly prematurely needlessly unwittingly naively wrongfully"
)
FAULT_NOUNS: Final = _set(
    "mistake mistakes oversight oversights fault blunder blunders error errors slip typo typos lapse misjudgement"
    " misjudgment misunderstanding inattention inexperience negligence carelessness ignorance incompetence misconfiguration"
    " sloppiness forgetfulness"
)
CAUSING: Final = _set(
    "caused due because result attributed attributable down cause caused traced owing thanks blame blamed"
)
DISASTERS: Final = _set(
    "outage outages incident incidents failure downtime mistake error loss breakage causing breaking crash disruption"
    " corruption mess degradation"
)
BROKEN: Final = _set(
    "broken deleted dropped removed overwritten misconfigured mistyped ignored missed skipped overlooked forgotten caused"
    " triggered introduced botched mishandled misread corrupted crashed wiped disabled bypassed neglected"
)

# Judgement by itself, whoever it is about.
JUDGEMENT: Final = _set(
    "careless carelessly carelessness negligent negligently negligence reckless recklessly recklessness incompetent"
    " incompetence irresponsible irresponsibly irresponsibility inexcusable unforgivable unprofessional thoughtless"
    " thoughtlessly clueless inept ineptitude clumsy clumsily inattentive inattention stupid stupidly stupidity foolish"
    " foolishly idiotic laziness sloppiness amateurish culprit culprits guilty scapegoat shoddy lackadaisical obviously"
    " slapdash complacent complacency forgetful"
)
SAID_OF_THINGS: Final = _set("culprit culprits guilty")
# Judgement about people or their choices, but plain words of the trade elsewhere ("lazy loading", "a sloppy quorum").
JUDGEMENT_BEFORE_DEED: Final = _set(
    "lazy sloppy dumb poor bad terrible awful wrong silly rookie avoidable basic embarrassing"
)
DEEDS: Final = _set(
    "judgement judgment decision decisions choice choices mistake mistakes engineer engineers developer developers operator"
    " operators attitude behaviour behavior discipline workmanship work engineering oversight thinking communication"
)
LAZY_OF_PEOPLE: Final = _set("lazy sloppy dumb naive silly")

HUMAN_WORK: Final = _set(
    "reviewed tested checked caught noticed spotted escalated communicated documented verified validated prevented avoided"
    " anticipated foreseen known announced asked planned rehearsed warned followed double-checked handled considered"
    " consulted informed told acknowledged thought discovered realised realized paged-earlier coordinated discussed approved"
    " questioned"
)
HUMAN_ACTS: Final = HUMAN_WORK | _set(
    "seen looked read stopped rolled waited called involved listened paid taken done updated used run made tried restarted"
    " reverted monitored watched responded answered reacted"
)
RISKS: Final = _set("lost suffered hit ended had been gotten got received experienced seen become")

MONTHS: Final = _set(
    "january february march april may june july august september october november december jan feb mar apr jun jul aug sep"
    " oct nov dec"
)
# Words that are also names of people.
ALSO_WORDS: Final = MONTHS | _set(
    "will mark bill grace rose art ray chase max jack frank hope faith joy dawn iris ivy pat sue rob nick drew dean guy"
    " miles rich skip chip drop page case lane reed wade pierce grant lance cliff brook brooks sandy candy penny violet"
    " olive ruby jasmine sky summer autumn august harry dick bob peter tony don ed al an so to in do no is it as at be by he"
    " me my of on or up us we am go if the and but for not you all any can had her was one our out day get has him his how"
    " man new now old see two way who boy did its let put say she too use king queen prince duke earl baker cook carter"
    " mason smith miller taylor turner walker fisher hunter archer porter potter sawyer tanner weaver fields banks stone"
    " woods rivers bush forest hill glen dale marsh heath ford field green brown white black gray grey young long short"
    " little small strong best love bliss hardy swift sharp noble bright wise good rush sterling price cash bond stock marshal"
    " marshall major general gates root roots hash key keys link port ports host patch push pull merge branch fork ping"
    " pong page ash basil rosemary sage ginger pepper coral pearl crystal amber gem jade opal star storm rain snow gale winter"
    " jordan paris london berlin austin dallas houston sydney florence virginia georgia china india israel chad cuba jersey"
    " alexa siri echo robin martin wren crane swan finch jay drake fox wolf lamb buck colt angel christian bishop pope abbot"
    " pastor deacon judge justice chance lucky trace tracy troy victor victoria bell ball hall wall mills parks street"
    " rock clay rusty dusty sunny stormy windy misty destiny harmony melody carol lyric reason trinity charity mercy"
    " patience prudence verity constance honor earnest ernest junior senior norm gene jean jeans dot pip gill ward warden page"
    " rider singer speaker driver dyer sellers power powers sparks burns banner barker butcher chandler cooper clark clerk"
    " coleman dyer forester gardner glover harper knight lord manning parker piper reader roper shepherd skinner steward"
    " stewart tyler usher vance wright kay lee chin pool poole lake shaw wells bridges church temple house castle ridge"
    " berry bean beans rice apple cherry plum lemon olive lily daisy heather holly hazel myrtle poppy fern laurel linden"
    " clement constant curt curtis del ester ewan flint fleet foster hank hale heck herb jet josh lark leaf linus matt mike"
    " miguel major minor nova rand ram rain reef rex rip roman rowan rune sam sean shea skye sol sonny sterling tab tad tag"
    " tate tex tim toby tom ty van vance vern wat web wes zane ana-log test tests admin root system service alert engine"
)

_IRREGULAR_PAST: Final = _set(
    "was had did went saw took made ran said told wrote got knew found set gave began kept held brought thought sent built"
    " broke forgot left read lost put came became felt meant met paid rang rose sat spoke stood understood woke withdrew"
    " misread overrode reran rewrote undid oversaw won caught chose drew fell flew grew shut split spent stuck taught threw"
    " hasn't hadn't didn't wasn't rolled noticed has is says who"
)


def is_past_verb(word: str) -> bool:
    return word in _IRREGULAR_PAST or (len(word) > 3 and word.endswith("ed") and word not in _NOT_PAST)


_NOT_PAST: Final = _set("need feed speed seed embed exceed proceed indeed red shed shared")
_VERBS_IN_CLAUSES: Final = _IRREGULAR_PAST | _set("is are were been")


def is_verb_end(word: str) -> bool:
    """A word that ends a clause of its own ("the script the engineer wrote ...") and is no head of a subject."""
    return word in _VERBS_IN_CLAUSES - {"read", "set", "put", "who", "split"} or (
        len(word) > 4 and word.endswith("ed") and word not in _NOT_PAST
    )


def singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word
