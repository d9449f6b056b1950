"""Docking hardware of the digital twin: ports, joints, the power network, cameras."""
