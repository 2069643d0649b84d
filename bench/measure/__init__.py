"""How one row is measured: each module runs one kind of load against one way and returns plain figures."""
