"""Forces as valve pulses: modulators, valves, books of what the valves did."""
