"""The console on the ROS graph: messages to values, snapshots, burns."""
