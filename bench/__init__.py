"""What Lockstep costs, measured: each row of a table by a process of its own."""
