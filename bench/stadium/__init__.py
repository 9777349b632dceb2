"""A stadium: an activity for tens of thousands of followers, while Apple refuses and functions die."""
