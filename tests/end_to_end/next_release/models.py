"""One table of the next release."""

from __future__ import annotations

from django.db import models


class Remark(models.Model):
    """Something that today's release knows nothing of."""

    text = models.CharField(max_length=100)
