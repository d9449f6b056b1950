"""Adapters of the node: messages, parameters, keys, services, interrogations."""
