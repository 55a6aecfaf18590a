from midwatch.core.render import is_partial, page_or_partial, partial_name  # noqa: F401 - moved to the ground floor
