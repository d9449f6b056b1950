"""From what is asked for to the valves: attitude, profiles, modes, the cycle."""
