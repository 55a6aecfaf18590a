"""The entities of the management API, in its own field names; what we have not is null or false."""

from __future__ import annotations

from typing import Any

from midwatch.respond.statuspage import words
from midwatch.respond.statuspage.links import public_url
from midwatch.respond.statuspage.models import Access, Component, Notice, NoticeUpdate, Page, Subscriber, SubscriberKind
from midwatch.respond.statuspage.wire import Wire, moment

Json = dict[str, Any]


def page(one: Page) -> Json:
    zone = Wire(one).zone
    return {
        "id": one.wire_id,
        "created_at": moment(one.created_at, zone),
        "updated_at": moment(one.updated_at, zone),
        "name": one.title,
        "page_description": one.description or None,
        "headline": None,
        "branding": "basic",
        "subdomain": one.name,
        "domain": one.url.partition("://")[2].partition("/")[0] or None,
        "url": public_url(one),
        "support_url": one.support_url or None,
        "hidden_from_search": one.is_hidden_from_search,
        "allow_page_subscribers": one.takes_subscribers,
        "allow_incident_subscribers": False,
        "allow_email_subscribers": one.takes_subscribers,
        "allow_sms_subscribers": False,
        "allow_rss_atom_feeds": True,
        "allow_webhook_subscribers": one.takes_subscribers,
        "notifications_from_email": None,
        "notifications_email_footer": None,
        "activity_score": 0,
        "twitter_username": None,
        "viewers_must_be_team_members": one.access == Access.MEMBERS,
        "ip_restrictions": None,
        "city": None,
        "state": None,
        "country": None,
        "time_zone": one.time_zone,
    }


def component(one: Component, on: Wire) -> Json:
    return {**on.component(one), "automation_email": None}


def group(one: Component, on: Wire) -> Json:
    return {
        "id": one.wire_id,
        "page_id": on.page.wire_id,
        "name": one.name,
        "description": one.description or None,
        "components": [child.wire_id for child in on.components if child.parent_id == one.pk],
        "position": str(one.position),
        "created_at": moment(one.created_at, on.zone),
        "updated_at": moment(one.updated_at, on.zone),
    }


def update(one: NoticeUpdate, notice: Notice, on: Wire) -> Json:
    """Bodies as they were written."""
    return {**on.update(one, notice), "body": one.body, "wants_twitter_update": False, "twitter_updated_at": None}


def incident(one: Notice, on: Wire) -> Json:
    return {
        **words.incident(on, one),
        "postmortem_body": one.postmortem_draft,  # who manages the page reads what is being written
        "postmortem_body_last_updated_at": moment(one.postmortem_draft_at, on.zone),
        "incident_updates": [update(said, one, on) for said in one.updates.all()],
        "components": [component(touched, on) for touched in one.components.all()],
        "auto_tweet_at_beginning": False,
        "auto_tweet_on_completion": False,
        "auto_tweet_on_creation": False,
        "auto_tweet_one_hour_before": False,
    }


def postmortem(one: Notice, on: Wire) -> Json:
    return {
        "preview_key": None,
        "body": one.postmortem_body,
        "body_updated_at": moment(one.postmortem_body_at, on.zone),
        "body_draft": one.postmortem_draft,
        "body_draft_updated_at": moment(one.postmortem_draft_at, on.zone),
        "published_at": moment(one.postmortem_published_at, on.zone),
        "notify_subscribers": one.postmortem_is_told,
        "notify_twitter": False,
        "custom_tweet": None,
    }


def subscriber(one: Subscriber, on: Wire) -> Json:
    is_email = one.kind == SubscriberKind.EMAIL
    return {
        "id": one.wire_id,
        "skip_confirmation_notification": False,
        "mode": str(one.kind),
        "email": one.address if is_email else None,
        "endpoint": None if is_email else one.address,
        "phone_number": None,
        "phone_country": None,
        "display_phone_number": None,
        "obfuscated_channel_name": None,
        "workspace_name": None,
        "quarantined_at": moment(one.quarantined_at, on.zone),
        "purge_at": moment(one.purge_at, on.zone),
        "components": [touched.wire_id for touched in one.components.all()],
        "page_access_user_id": None,
        "created_at": moment(one.created_at, on.zone),
    }
