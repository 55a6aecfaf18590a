"""The escalation pages: acts on an alert, policies, paging by hand, landing pages, providers' callbacks."""
