"""Django's settings of a node that runs the next release."""

from midwatch.django_settings import *  # noqa: F403
from midwatch.django_settings import INSTALLED_APPS as TODAY

INSTALLED_APPS = [*TODAY, "end_to_end.next_release"]
