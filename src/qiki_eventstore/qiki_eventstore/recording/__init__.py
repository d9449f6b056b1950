"""Recordings of topics: numbered MCAP files with a catalogue, as ROS 2's own tools read them."""
