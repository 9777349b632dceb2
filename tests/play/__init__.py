"""The world played against the promises: producers, phones, Apple and AWS at their worst, and a clock of our own."""
