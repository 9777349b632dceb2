"""The page of lock screens: what simulated iPhones show, and each publish's way to them, live in a browser."""
