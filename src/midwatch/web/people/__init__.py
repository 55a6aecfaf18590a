"""The pages of people and teams.

They stand on the roof, not in `midwatch.people`, because they show what every room knows of a person: whether a page
would reach them, when they are on call, which policy would page nobody without them.
"""
