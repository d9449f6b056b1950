"""From commands to the valves: attitude, profiles, modes, the control cycle."""
