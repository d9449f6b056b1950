"""The shell every QIKI node wears: lifecycle, parameters, diagnostics, metrics, log, executor.

Nothing is imported here: ``qiki_node.parameters`` and ``qiki_node.health`` serve code that runs without ROS.
"""
