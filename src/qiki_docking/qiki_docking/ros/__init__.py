"""Adapters of the node: messages, parameters, partners, services, action, memory."""
