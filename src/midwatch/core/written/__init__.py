"""What people write in files, read as it is written: YAML without guessing, typed fields, problems that say what to write.

Comes before every room that reads documents (configuration as code, runbooks); after nothing.
"""
