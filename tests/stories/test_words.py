"""Words of the messages: what a phone shows, says and is answered with, and what is known of each message."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from midwatch.core.text_sms import gsm7_length, to_gsm7
from midwatch.people.actions.contacts import Contact, check_phone_owner
from midwatch.people.models import ContactMethod
from midwatch.respond.alerts.models import Alert, NumberCounter
from midwatch.respond.escalation.actions import act_on_landing, landing
from midwatch.respond.notify.actions import send_test_page
from midwatch.respond.notify.actions.messages import send_test_pages
from midwatch.respond.notify.models import Delivery
from midwatch.respond.notify.queries import reachability
from stories.phones import bounces
from stories.story import START, Story, forget_caches

DAY = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


# -- SMS -----------------------------------------------------------------------------------------------------------------


def test_a_text_is_one_segment_with_number_level_answers_and_link(story: Story) -> None:
    ana = story.person("ana", methods=("sms",))
    story.policy(steps=[("ana", "0m")])
    story.fires(title="DiskFull db3")
    text = ana.rings_with(by="sms").text
    assert re.fullmatch(
        r"Midwatch P1 #1 Checkout: DiskFull db3\. You are level 1\. "
        r'Reply "ack 1" or "no 1"\. http://midwatch\.example/p/[a-z0-9]{26}',
        text,
    )


@pytest.mark.parametrize("title", ["x" * 900, "Č€{}[]~|" * 50, "💥 взрыв " * 30, '<script>alert("1")</script>' * 9])
def test_a_long_or_foreign_title_is_cut_and_number_and_link_never(story: Story, title: str) -> None:
    ana = story.person("ana", methods=("sms",))
    story.policy(steps=[("ana", "0m")])
    story.fires(title=title, key="k")
    text = ana.rings_with(by="sms").text
    assert text == to_gsm7(text)
    assert gsm7_length(text) <= 160
    assert text.startswith("Midwatch P1 #1 Checkout: ")
    assert re.search(r'"ack 1" or "no 1"\. http://midwatch\.example/p/[a-z0-9]{26}$', text)


def test_a_bare_ack_takes_the_one_page_that_waits(story: Story) -> None:
    ana = story.person("ana", methods=("sms",))
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    ana.rings_with(by="sms")
    assert ana.texts("ack") == "You have #1. Escalation stopped."
    assert story.alert(alert).acknowledged_by == ana.user


def test_a_bare_ack_with_two_pages_waiting_brings_the_list(story: Story) -> None:
    ana = story.person("ana", methods=("sms",))
    story.policy(steps=[("ana", "0m")])
    story.fires(title="one")
    story.fires(title="two")
    said = ana.texts("Ack")
    assert "2 pages wait for you: #2 Checkout: two; #1 Checkout: one" in said
    assert not Alert.objects.filter(status="acknowledged").exists()
    assert ana.texts("ack 2") == "You have #2. Escalation stopped."
    assert ana.texts("ack") == "You have #1. Escalation stopped."
    assert ana.texts("ack") == "No page waits for you."


def test_a_bare_ack_after_four_hours_acts_on_nothing(story: Story) -> None:
    ana = story.person("ana", methods=("sms",), repeat_after_seconds=0)
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    story.forward(hours=4, minutes=1)
    ana.texts("ack")
    assert story.alert(alert).status == "firing"
    ana.texts("ack 1")
    assert story.alert(alert).status == "acknowledged"


def test_no_passes_on_resolve_resolves_and_nonsense_brings_help(story: Story) -> None:
    ana, ben = story.person("ana", methods=("sms",)), story.person("ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    alert = story.fires()
    ana.rings_with(by="sms")
    assert "#1 Checkout: disk full" in ana.texts("what is going on?")
    assert ana.texts("no 1") == "Passed on to level 2."
    ben.rings_with()
    assert ana.texts("resolve 1") == "#1 is resolved."
    assert story.alert(alert).resolved_by == ana.user
    assert ana.texts("ack 1").startswith("#1 was resolved by Ana at 02:00 UTC")
    assert ana.texts("ack 99") == "There is no alert #99."


def test_a_number_that_belongs_to_nobody_is_told_so(story: Story) -> None:
    ana = story.person("ana", methods=("sms",))
    story.policy(steps=[("ana", "0m")])
    story.fires()
    form = {"From": "+15551234567", "To": "+15005550006", "Body": "ack 1"}
    assert "belongs to nobody" in story.calls_back("sms", form)
    assert not Alert.objects.filter(status="acknowledged").exists()
    ana.rings_with(by="sms")


def test_stop_turns_the_method_off_and_person_and_manager_hear_of_it(story: Story) -> None:
    ana = story.person("ana", methods=("sms", "email"))
    mia = story.person("mia")
    story.team("payments", "ana", managers=["mia"])
    story.policy(steps=[("ana", "0m"), ("mia", "5m")])
    story.fires(title="one")
    ana.rings_with(by="sms")
    assert ana.texts("STOP") == ""  # the carrier answers that one itself
    mia.is_told("Ana gets no texts any more", kind="handoff")
    ana.rings_with("Your texts are off", by="email")
    assert not reachability(ana.user).is_reachable_high
    story.resolves(title="one")
    story.forward(minutes=2)
    ana.forgets(), mia.forgets()
    story.fires(title="two")
    mia.rings_with("two")  # nobody waits for a phone that cannot ring
    ana.rings_with(by="email")
    assert "on again" in ana.texts("START")
    assert reachability(ana.user).is_reachable_high


def test_one_number_belongs_to_one_person(story: Story) -> None:
    ana, ben = story.person("ana", methods=("sms",)), story.person("ben")
    with pytest.raises(ValueError, match="belongs to Ana already"):
        check_phone_owner(ben.user, Contact("phone", "voice", ana.number))


# -- voice ---------------------------------------------------------------------------------------------------------------


def test_keys_acknowledge_pass_on_resolve_and_repeat(story: Story) -> None:
    ana, ben = story.person("ana", methods=("voice",)), story.person("ben")
    story.policy(steps=[("ana", "0m"), ("ben", "5m")])
    story.fires(title="one")
    call = ana.rings_with(by="voice")
    said = ana.picks_up(call)
    assert said.startswith("Midwatch. Priority 1, alert 1, Checkout: one. You are level 1. Press 4 to acknowledge, ")
    assert ana.presses(call, "9") == said
    assert ana.presses(call, "4") == "You have alert 1. Escalation stopped."
    story.forward(minutes=2)
    story.fires(title="two")
    second = ana.rings_with(by="voice")
    assert ana.presses(second, "5") == "Passed on to level 2."
    ben.rings_with("two")
    assert ana.presses(second, "6") == "#2 is resolved."


def test_numbers_are_spoken_digit_by_digit(story: Story) -> None:
    ana = story.person("ana", methods=("voice",))
    story.policy(steps=[("ana", "0m")])
    with transaction.atomic():
        NumberCounter.objects.create(pk=1, last=1041)
    story.fires()
    assert "alert 1 0 4 2, Checkout" in ana.picks_up(ana.rings_with(by="voice"))


def test_without_a_public_address_a_call_speaks_twice_and_takes_no_keys(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MIDWATCH_BASE_URL")
    forget_caches()
    ana = story.person("ana", methods=("voice",))
    story.policy(steps=[("ana", "0m")])
    story.fires()
    call = ana.rings_with(by="voice")
    assert call.text.count("Midwatch. Priority 1, alert 1, Checkout: disk full. You are level 1.") == 2
    assert "Press" not in call.text
    assert "Url" not in call.body


@pytest.mark.parametrize("what", ["busy", "no-answer", "failed"])
def test_busy_and_no_answer_send_the_next_method_at_once(story: Story, what: str) -> None:
    ana = story.person("ana", methods=("voice", "ntfy"))
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    call = ana.rings_with(by="voice")
    story.twilio_says(call, what)
    ana.rings_with(by="ntfy")
    assert story.alert(alert).status == "firing"
    assert "Page to Ana by voice-0 (voice): failed" in story.timeline(alert)


def test_a_machine_that_picks_up_is_no_acknowledgement_and_the_next_method_goes(story: Story) -> None:
    ana = story.person("ana", methods=("voice", "ntfy"))
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    call = ana.rings_with(by="voice")
    assert "Press 4" in ana.picks_up(call, answered_by="machine_start")  # it may be a person yet
    ana.rings_with(by="ntfy")
    story.twilio_says(call, "completed", AnsweredBy="machine_start")
    story.nothing_else_happens()
    assert story.alert(alert).status == "firing"


def test_hang_up_and_silence_are_no_acknowledgement(story: Story) -> None:
    ana = story.person("ana", methods=("voice", "ntfy"))
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    call = ana.rings_with(by="voice")
    ana.picks_up(call)
    story.twilio_says(call, "completed", AnsweredBy="human")
    assert story.alert(alert).status == "firing"
    ana.is_silent()
    story.forward(minutes=1)
    ana.rings_with(by="ntfy")


def test_when_the_only_call_is_busy_the_next_person_is_called_at_once(story: Story) -> None:
    ana, ben = story.person("ana", methods=("voice",)), story.person("ben")
    story.policy(steps=[("ana", "0m"), ("ben", "15m")])
    story.fires()
    story.twilio_says(ana.rings_with(by="voice"), "busy")
    ben.rings_with()


# -- e-mail --------------------------------------------------------------------------------------------------------------


def test_an_email_says_first_what_one_needs_at_night(story: Story) -> None:
    ana = story.person("ana", methods=("ntfy", "email"), zone="Europe/Prague")
    story.person("ben")
    story.policy(steps=[(["ana", "ben"], "0m"), ("ben", "5m")])
    story.fires(title="DiskFull db3")
    story.forward(minutes=1)
    subject, first, *_ = ana.rings_with(by="email").text.split("\n")
    assert subject == "[P1] Checkout: DiskFull db3 (#1)"
    assert first == "Since 03:00 CET; you are level 1; also paged: Ben; next: level 2 at 03:05 CET."


def test_mails_of_one_alert_are_one_thread_and_provoke_no_answers(story: Story) -> None:
    ana = story.person("ana", methods=("email",))
    story.policy(steps=[("ana", "0m")])
    story.fires(priority="P3")
    page = ana.rings_with(by="email")
    story.resolves()
    resolved = ana.rings_with("#1 is resolved", by="email")
    assert page.headers["References"] == resolved.headers["References"] == page.headers["In-Reply-To"]
    assert page.headers["Message-ID"] != resolved.headers["Message-ID"]
    for mail in (page, resolved):
        assert mail.headers["Auto-Submitted"] == "auto-generated"


def test_a_bounce_marks_the_method_failing_and_a_later_success_clears_it(story: Story) -> None:
    ana = story.person("ana", methods=("email",))
    story.policy(steps=[("ana", "0m")])
    with story.broken("email", how=bounces):
        story.fires(priority="P3", title="one")
    method = ContactMethod.objects.get(user=ana.user)
    assert method.failing_since is not None
    assert "550 no such mailbox" in method.problem
    story.fires(priority="P3", title="two")
    ana.rings_with("two", by="email")
    method.refresh_from_db()
    assert (method.failing_since, method.problem) == (None, "")


# -- receipts ------------------------------------------------------------------------------------------------------------


def test_a_providers_yes_is_handed_over_and_only_a_report_says_delivered(story: Story) -> None:
    ana = story.person("ana", methods=("sms",))
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    text = ana.rings_with(by="sms")
    assert Delivery.objects.get().receipt == "handed over"
    story.twilio_says(text, "sent")
    assert Delivery.objects.get().receipt == "handed over"
    story.twilio_says(text, "delivered")
    assert Delivery.objects.get().receipt == "delivered"
    assert "Page to Ana by sms-0 (sms): delivered" in story.timeline(alert)
    story.press(text)
    assert Delivery.objects.get(kind="page").receipt == "answered"
    story.twilio_says(text, "delivered")  # providers repeat themselves, and not in order
    assert Delivery.objects.get(kind="page").receipt == "answered"


def test_an_undelivered_text_sends_the_next_method_at_once(story: Story) -> None:
    ana = story.person("ana", methods=("sms", "ntfy"))
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    text = ana.rings_with(by="sms")
    story.twilio_says(text, "undelivered", ErrorCode="30003")
    ana.rings_with(by="ntfy")
    assert "failed (the phone is off or out of reach (Twilio 30003))" in story.timeline(alert)
    story.twilio_says(text, "undelivered", ErrorCode="30003")
    story.nothing_else_happens()


def test_where_callbacks_cannot_reach_us_the_status_is_asked_for(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIDWATCH_BASE_URL")
    forget_caches()
    ana = story.person("ana", methods=("voice", "ntfy", "sms"))
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    call = ana.rings_with(by="voice")
    assert "StatusCallback" not in call.body
    story.network.told[call.sid] = {"status": "ringing"}
    story.forward(seconds=15)
    ana.is_silent()
    story.network.told[call.sid] = {"status": "busy"}
    story.forward(seconds=15)
    ana.rings_with(by="ntfy")
    story.forward(minutes=2)
    text = ana.rings_with(by="sms")
    story.network.told[text.sid] = {"status": "delivered"}
    story.forward(minutes=1)
    assert Delivery.objects.get(channel="sms").receipt == "delivered"
    assert "Page to Ana by voice-0 (voice): failed (the line was busy)" in story.timeline(alert)


def test_what_a_provider_never_tells_is_unknown(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIDWATCH_BASE_URL")
    forget_caches()
    ana = story.person("ana", methods=("sms",), repeat_after_seconds=0)
    story.policy(steps=[("ana", "0m")])
    story.fires()
    ana.rings_with(by="sms")
    story.forward(minutes=11)
    assert Delivery.objects.get().receipt == "unknown"
    assert Delivery.objects.get().poll_at is None


def test_a_late_page_says_how_late_in_every_channel(story: Story) -> None:
    ana = story.person("ana", methods=("webhook", "sms", "email", "ntfy", "voice"), repeat_after_seconds=0)
    story.policy(steps=[("ana", "0m")])
    story.arrives(story.source(), {"title": "disk full", "priority": "P1"})
    story.sleeps(minutes=40)
    assert ana.rings_with(by="webhook").text.startswith("LATE 40 min: [P1]")
    story.forward(minutes=4)
    assert ana.rings_with(by="sms").text.startswith("Midwatch P1")  # its own rule is in time


# -- tests ---------------------------------------------------------------------------------------------------------------


def test_a_test_page_says_so_and_answering_confirms_the_method(story: Story) -> None:
    story.forward(to=DAY)
    ana, root = story.person("ana", methods=()), story.person("root", role="administrator")
    method = story.contact(ana.user, "ntfy", confirmed_at=None, is_from_code=False)
    assert not reachability(ana.user).is_reachable_high
    story.acts(lambda: str(send_test_page(ana.user, root.actor)))
    page = ana.rings_with("TEST, no action needed", by="ntfy")
    assert story.press(page) == "Confirmed: this method reaches you."
    method.refresh_from_db()
    assert method.confirmed_at is not None
    assert reachability(ana.user).is_reachable_high
    assert not Alert.objects.exists()


def test_a_test_goes_by_the_real_rules(story: Story) -> None:
    story.forward(to=DAY)
    ana = story.person("ana", methods=("ntfy", "voice"))
    story.acts(lambda: str(send_test_page(ana.user, ana.actor)))
    ana.rings_with("TEST", by="ntfy")
    ana.is_silent()
    story.forward(minutes=1)
    call = ana.rings_with(by="voice")
    assert "TEST, no action needed. Press 4 to confirm" in ana.picks_up(call)
    assert ana.presses(call, "4") == "Thank you. This number is confirmed."


def test_at_night_only_oneself_may_be_tested(story: Story) -> None:
    story.forward(to=DAY)  # 10:00 UTC: 02:00 in Los Angeles, 11:00 in Prague
    ana, ben = story.person("ana", zone="Europe/Prague"), story.person("ben", zone="America/Los_Angeles")
    with pytest.raises(ValueError, match="02:00 to 03:00 where Ben is"):
        send_test_page(ben.user, ana.actor)
    sent, refused = send_test_pages([ana.user, ben.user], ana.actor)  # a rotation
    assert (len(sent), len(refused)) == (1, 1)
    story.settle()
    ana.rings_with("TEST", kind="test")
    ben.is_silent()
    story.acts(lambda: str(send_test_page(ben.user, ben.actor)))
    ben.rings_with("TEST", kind="test")


# -- landing pages -------------------------------------------------------------------------------------------------------


def test_a_landing_link_acts_until_an_hour_after_the_resolve(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    page = ana.rings_with()
    ana.acknowledges(alert)
    story.resolves()
    story.forward(minutes=59)
    found = landing(page.token)
    assert found is not None
    assert found.can_act
    story.forward(minutes=2)
    found, said = act_on_landing(page.token, "acknowledge")
    assert not found.can_act
    assert said == "#1 was resolved by its source at 02:00 UTC"


def test_an_unknown_link_and_an_unknown_act_are_refused(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    story.fires()
    with pytest.raises(LookupError, match="not known"):
        act_on_landing("nonsense", "acknowledge")
    with pytest.raises(ValueError, match="give one of acknowledge, resolve"):
        act_on_landing(ana.rings_with().token, "explode")


def test_the_link_of_somebody_turned_off_acts_no_more(story: Story) -> None:
    (ana,) = story.phones("ana")
    story.policy(steps=[("ana", "0m")])
    alert = story.fires()
    page = ana.rings_with()
    with transaction.atomic():
        ana.user.__class__.objects.filter(pk=ana.user.pk).update(is_active=False)
    story.press(page)
    assert story.alert(alert).status == "firing"
    assert story.alert(alert).created_at - START < timedelta(seconds=1)
