"""ROS adapters of the simulator."""
