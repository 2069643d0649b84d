"""A double of Home Assistant: what a proxy in front of it meets, rebuilt from Home Assistant's documented and observed behaviour."""
