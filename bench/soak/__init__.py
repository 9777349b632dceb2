"""Ten minutes of everything at once: reports, orders of single phones, a large audience, a channel, and much that goes wrong."""
