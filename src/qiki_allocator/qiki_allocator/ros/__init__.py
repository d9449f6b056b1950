"""Adapters of the node: messages, parameters, services, action."""
