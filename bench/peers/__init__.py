"""APNs clients that do the same work, each a program that is told by its environment what to send (`bench.peers.work`)."""
