"""PagerDuty's Events API v2, so that whatever can page PagerDuty can page Midwatch by changing the host.

Comes after `core.integration`, whose words it speaks; comes before intake and the engine, which find it by its folder.
"""
