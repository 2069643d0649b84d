"""What is measured: the backend, and the three ways to it, which share an interface (peers/way.py)."""
